"""The portal's own PostgreSQL: on a Unix socket in the instance's 0700 run directory, no TCP."""

import os
import pwd
import shutil
import signal
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM
from socket import socket as Socket  # noqa: N812

from portal.bootstrap import paths
from portal.instance import proc
from portal.instance.failed import Failed
from portal.instance.processes import Role

PACKAGE = "postgresql-17.10"
MAJOR = "17"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "2000",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
ACCOUNTS = "CREATE ROLE archipel LOGIN CREATEDB;\nCREATE DATABASE archipel OWNER archipel;\n"
HBA = "# Only the account that runs the portal gets in, over the socket.\nlocal all all peer map=own\n"


_WHO = b"user\0archipel\0database\0archipel\0\0"
STARTUP = struct.pack("!ii", 8 + len(_WHO), 3 << 16) + _WHO
ACCEPTED = b"R"  # AuthenticationOk


class Postgres:
    """A cluster in DIR/postgres/17. Removing the directory removes what was prepared in it as well."""

    def __init__(self, data: Path, package: Path, environment: Mapping[str, str]) -> None:
        self.home = data / "postgres"
        self.cluster = self.home / MAJOR
        self.socket = paths.run_directory(data)
        self.bin = package / "bin"
        self.environment = environment

    def make(self) -> None:
        """Make the cluster, with role and database ``archipel``, unless it is there. Cut off, it begins anew."""
        if self.cluster.exists():
            return
        draft = self.home / f"{MAJOR}.new"
        self.make_at(draft)
        draft.rename(self.cluster)

    def make_at(self, draft: Path) -> None:
        """Make an empty cluster, with role and database, in place of what is there. Raises Failed."""
        shutil.rmtree(draft, ignore_errors=True)
        self._run("initdb", "-U", "postgres", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8",
                  "--auth=peer", "--data-checksums", "--no-instructions", "-D", str(draft))  # fmt: skip
        self._run("postgres", "--single", "-D", str(draft), "postgres", stdin=ACCOUNTS)

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            input=stdin,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")

    def role(self) -> Role:
        """Return what ``up`` keeps running."""
        return Role(
            name="database",
            command=self._command,
            environment=self.environment,
            steps=((signal.SIGINT, 5.0), (signal.SIGINT, 3.0), (signal.SIGQUIT, 2.0)),
            prepare=self._before_start,
            leftovers=lambda: proc.working_in(self.cluster),
        )

    def _command(self) -> list[str]:
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        socket = f"--unix_socket_directories={self.socket}"
        return [str(self.bin / "postgres"), "-D", str(self.cluster), socket, *options]

    def _before_start(self) -> None:
        """Let this account in, which need not be the one that made it, and remove the lock of a killed server.

        None of that server's processes is left by now, but its pid may be used again.
        """
        make_startable(self.cluster, self.socket)


def make_startable(cluster: Path, socket: Path) -> None:
    """Let this account in, and clear away what a killed server has left in its cluster and for its socket."""
    (cluster / "pg_hba.conf").write_text(HBA)
    (cluster / "pg_ident.conf").write_text(_own())
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (socket / name).unlink(missing_ok=True)


def _own() -> str:
    """Return the map by which the operating system's account may be ``archipel`` and, for repairs, ``postgres``."""
    account = pwd.getpwuid(os.getuid()).pw_name
    return f'own "{account}" archipel\nown "{account}" postgres\n'


def answers(socket: Path) -> bool:
    """Tell whether a server lets this account into the portal's database: during recovery it refuses everybody.

    Speaks the first message of the protocol itself (PostgreSQL documentation, "Message Formats"); a driver takes longer
    to load than the whole command that waits.
    """
    try:
        with Socket(AF_UNIX, SOCK_STREAM) as line:
            line.settimeout(2.0)
            line.connect(str(socket))
            line.sendall(STARTUP)
            return line.recv(1) == ACCEPTED
    except OSError:
        return False
