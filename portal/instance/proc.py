"""Reads /proc: who lives, who belongs to whom. Standard library only; the guardian has nothing else loaded."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from portal.bootstrap.running import start_time

MARKS = (b"ARCHIPEL_ROLE=", b"ARCHIPEL_SERVICE=")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process for certain: pids are used again, a pid with its start time (clock ticks since boot) is not."""

    pid: int
    start: int

    def alive(self) -> bool:
        return self.start != 0 and start_time(self.pid) == self.start


def identity(pid: int) -> Identity:
    """Return who has this pid now; ``start`` is 0 where nobody has."""
    return Identity(pid, start_time(pid))


def pids() -> Iterator[int]:
    """Yield all processes."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are all that is needed
        if name.isdigit():
            yield int(name)


def session_members(session: int) -> list[int]:
    """Return the living processes of a session, whose leader may be gone."""
    return [pid for pid in pids() if _fields(pid)[3:4] == [str(session)] and start_time(pid)]


def working_in(directory: Path) -> list[int]:
    """Return the processes whose working directory is ``directory``: PostgreSQL's each have a session of their own."""
    return [pid for pid in pids() if _link(pid, "cwd") == str(directory)]


def descendants(ancestor: int) -> list[int]:
    """Return all children of a process, and theirs."""
    parents = {pid: int((_fields(pid)[1:2] or ["0"])[0]) for pid in pids()}
    found = {ancestor}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return sorted(found - {ancestor})


def of_instance(data: Path) -> list[int]:
    """Return the processes of this account that have ``ARCHIPEL_DATA=data`` in their environment."""
    wanted = b"ARCHIPEL_DATA=" + os.fsencode(data)
    return [pid for pid in pids() if pid != os.getpid() and wanted in _environment(pid).split(b"\0")]


def started_for(data: Path) -> list[int]:
    """Return those of them that a portal has started: a command that a person typed has no role and is no service."""
    return [pid for pid in of_instance(data) if any(e.startswith(MARKS) for e in _environment(pid).split(b"\0"))]


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _fields(pid: int) -> list[str]:
    """Return /proc/PID/stat from the state on: state, parent, group, session …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/{name}")  # noqa: PTH115 - a path that was deleted has to stay as it is
    except OSError:
        return ""
