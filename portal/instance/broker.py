"""The portal's own broker and cache: Valkey on a Unix socket. It may be lost; the truth is in the database."""

import signal
from collections.abc import Mapping
from pathlib import Path

from portal.bootstrap import paths
from portal.instance.processes import Role

PACKAGE = "valkey-9.1"
SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
    "timeout": "0",
    "set-proc-title": "no",  # a title would overwrite the environment that tells whose process it is
}


def role(data: Path, package: Path, environment: Mapping[str, str]) -> Role:
    """Return what ``up`` keeps running."""
    socket = paths.run_directory(data) / "broker.sock"
    settings = {**SETTINGS, "unixsocket": str(socket), "dir": str(data / "run")}
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return Role(
        name="broker",
        command=lambda: [str(package / "bin" / "valkey-server"), *options],
        environment=environment,
        steps=((signal.SIGTERM, 2.0), (signal.SIGTERM, 2.0)),
        prepare=lambda: socket.unlink(missing_ok=True),
    )
