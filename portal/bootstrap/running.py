"""Says whether an instance is being served, by whom and where; reads what ``up`` wrote down."""

from __future__ import annotations

import json
import os
from pathlib import Path

from portal.bootstrap.options import take
from portal.bootstrap.say import refuse, say

HOST = "127.0.0.1"
DEFAULT_PORT = 8000


def start_time(pid: int) -> int:
    """Return when a process started (clock ticks since boot), or 0 if there is none; a pid alone may be reused."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def served(data: Path) -> dict[str, int] | None:
    """Return pid, start time and port of the ``up`` that serves a data directory now, if there is one."""
    return _alive(data / "run" / "up.json")


def _alive(file: Path) -> dict[str, int] | None:
    try:
        record: dict[str, int] = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return record if record.get("start") and start_time(record["pid"]) == record["start"] else None


def refuse_second(data: Path) -> None:
    """End where the instance is served already: two of them would fight for one database."""
    record = served(data)
    if record and record["pid"] != os.getpid():
        refuse(f"already running at http://{HOST}:{record['port']}/ (pid {record['pid']})")


def refuse_taken_port(port: int) -> None:
    """End where something else listens on the port."""
    import socket  # slow, and of use to one command alone

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            refuse(f"port {port} can't be used ({error.strerror}): choose another with --port N")


def port_from(given: str | None) -> int:
    """Return a port number from an option or the environment, or end with what is wrong with it."""
    value = given or os.environ.get("ARCHIPEL_PORT") or str(DEFAULT_PORT)
    if not value.isdigit() or not 0 < int(value) < 65536:
        refuse(f"{value!r} is no port: give a number from 1 to 65535")
    return int(value)


def check_there(data: Path, arguments: list[str]) -> None:
    """End a command that takes down or away where there is nothing, before anything is made for it."""
    if arguments[:1] in (["down"], ["reset"]) and not data.exists() and not {"-h", "--help"} & set(arguments):
        say(f"there is nothing in {data}")
        raise SystemExit(0)


def check_up(data: Path, arguments: list[str]) -> None:
    """Say what stands in the way of ``up``. One that adopts finds its own web server on the port."""
    port = port_from(take(arguments, "--port")[1])
    refuse_second(data)
    if "--adopt" not in arguments and not _has_leftovers(data):
        refuse_taken_port(port)


def _has_leftovers(data: Path) -> bool:
    """Tell whether a web server of a killed ``up`` is alive; ``up`` ends it and looks at the port afterwards."""
    return _alive(data / "run" / "web.json") is not None
