"""Brings a data directory along to a newer portal: its layout, and its database to PostgreSQL's next major version.

The database is dumped by its own server and loaded into a new cluster beside it. One rename puts the new one in force;
until then the old one is only read, and a kill at any moment means beginning again. There is no way back: an older
portal refuses what a newer one has brought along.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from portal.bootstrap.paths import run_directory
from portal.bootstrap.say import say
from portal.clusters.backends.local import files
from portal.clusters.backends.local.packages import CATALOGUE
from portal.instance import postgres, proc
from portal.instance.care import dumping
from portal.instance.failed import Failed

LAYOUT = 1  # rises when directories of an instance move; a step for each rise goes into STEPS
STEPS: Mapping[int, Callable[[Path], None]] = {}  # layout that it starts from -> what brings it to the next
PATIENCE = 600.0  # seconds that a server may take to recover, or to stop
Package = Callable[[str], Path]


# ---- layout ----------------------------------------------------------------------------------------------------------


def bring_layout_along(data: Path) -> None:
    """Bring an older layout to this one step by step. Raises Failed for a newer one."""
    found = layout_of(data)
    if found > LAYOUT:
        raise Failed(f"{data} was made by a newer portal (layout {found}, this one knows {LAYOUT}): use that one")
    for number in range(found, LAYOUT):
        say(f"bringing {data} from layout {number} to {number + 1}")
        STEPS[number](data)
        _note_layout(data, number + 1)
    if not _file(data).exists():
        _note_layout(data, LAYOUT)


def layout_of(data: Path) -> int:
    """Return the layout of a data directory; the first had no note of it."""
    return int((files.read_json(_file(data)) or {}).get("layout", 1))


def _note_layout(data: Path, number: int) -> None:
    files.write(_file(data), json.dumps({"layout": number}).encode())


def _file(data: Path) -> Path:
    return data / "layout.json"


# ---- PostgreSQL ------------------------------------------------------------------------------------------------------


def majors(data: Path) -> list[int]:
    """Return the major versions of the clusters that lie here whole, oldest first."""
    there = (data / "postgres").iterdir() if (data / "postgres").is_dir() else iter(())
    return sorted(int(path.name) for path in there if path.name.isdigit() and (path / "PG_VERSION").is_file())


def bring_database_along(database: postgres.Postgres, data: Path, package: Package) -> None:
    """Upgrade an older cluster to the major that is packaged. Raises Failed, also for a newer cluster."""
    found, ours = majors(data), int(postgres.MAJOR)
    if found and found[-1] > ours:
        raise Failed(
            f"a newer portal has worked in {data} (PostgreSQL {found[-1]}, this one has {ours}). There is no way back "
            "but a backup from before: use the newer portal."
        )
    if not found or ours in found:
        return
    old = found[-1]
    say(f"upgrading the portal's database from PostgreSQL {old} to {ours}")
    _refuse_small_disk(database.home / str(old))
    draft = database.home / f"{ours}.new"
    _end_servers(database.home / str(old), draft)
    database.make_at(draft)
    _copy(database, package(_package_of(old)), old, draft)
    files.sync_tree(draft)
    draft.rename(database.cluster)
    files.sync_directory(database.home)


def forget_older(data: Path) -> None:
    """Remove the clusters that an upgrade has replaced, once the new one serves."""
    for left in (data / "postgres").glob("gone-*"):
        files.remove_tree(left)
    for old in majors(data):
        if old < int(postgres.MAJOR):
            gone = data / "postgres" / f"gone-{old}"
            with suppress(OSError):
                (data / "postgres" / str(old)).rename(gone)
                files.remove_tree(gone)


def _package_of(major: int) -> str:
    """Return the newest packaged release of an older major."""
    keys = [key for key in CATALOGUE if key.startswith(f"postgresql-{major}.")]
    if not keys:
        raise Failed(
            f"this portal has no PostgreSQL {major} to read the old database with: upgrade to an older one first"
        )
    return max(keys, key=lambda key: int(key.rpartition(".")[2]))


def _refuse_small_disk(old: Path) -> None:
    size = sum(path.lstat().st_size for path in old.rglob("*"))
    if shutil.disk_usage(old).free < 1.2 * size:
        raise Failed(f"the disk has no room for a second copy of the database ({size >> 20} MB): free some first")


def _copy(database: postgres.Postgres, package: Path, old: int, draft: Path) -> None:
    """Load what the old cluster holds into the new one, both served to this process alone."""
    sockets = run_directory(database.home.parent)
    source, target = files.private_directory(sockets / "old"), files.private_directory(sockets / "new")
    with _serving(package / "bin", database.home / str(old), source, database.environment, read_only=True):
        with _serving(database.bin, draft, target, database.environment):
            to = {"PGHOST": str(target), "PGUSER": "archipel", "PGDATABASE": "archipel"}
            dumping.pipe(database.bin, {**to, "PGHOST": str(source)}, to)
            dumping.run_sql(database.bin, to, "ANALYZE")


@contextmanager
def _serving(
    binaries: Path, cluster: Path, socket: Path, environment: Mapping[str, str], *, read_only: bool = False
) -> Iterator[None]:
    """Serve a cluster for the time of the block, and stop it in an orderly way. Raises Failed."""
    postgres.make_startable(cluster, socket)
    options = [f"--unix_socket_directories={socket}", "--listen_addresses=", "--autovacuum=off"]
    options += ["--default_transaction_read_only=on"] if read_only else ["--fsync=off"]
    with (cluster.parent / "upgrade.log").open("ab") as log:
        server = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(cluster), *options],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await_answer(server, socket, cluster)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown, which writes everything out
        server.wait(PATIENCE)


def _await_answer(server: "subprocess.Popen[bytes]", socket: Path, cluster: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not postgres.answers(socket / ".s.PGSQL.5432"):
        if server.poll() is not None or time.monotonic() > end:
            raise Failed(f"the database in {cluster} does not start; {cluster.parent / 'upgrade.log'} says why")
        time.sleep(0.05)


def _end_servers(*clusters: Path) -> None:
    """End what a killed ``up``, or a killed upgrade, has left at work in these clusters."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        end = time.monotonic() + 15.0
        while (left := _working_in(clusters)) and time.monotonic() < end:
            for pid in left:
                proc.send(pid, number)
            time.sleep(0.2)


def _working_in(clusters: tuple[Path, ...]) -> list[int]:
    return [pid for cluster in clusters for pid in proc.working_in(cluster) if pid != os.getpid()]
