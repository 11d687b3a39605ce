"""Reading /proc: who a process is, what it uses, and which processes belong to an instance."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
COMPANION = "ARCHIPEL_COMPANION"  # whose value names a companion; its one-shots have a slash after the name
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/PID/stat (proc(5))."""

    pid: int
    parent: int
    session: int
    start: int  # clock ticks after boot: with the pid, a process's identity
    cpu_ticks: int
    rss_bytes: int


def process(pid: int) -> Process | None:
    """Return a process that is alive; None for one that is gone or only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - of every process, and often
            text = file.read()
    except OSError:
        return None
    words = text[text.rindex(b")") + 2 :].split()
    if words[0] in (b"Z", b"X"):
        return None
    cpu = int(words[11]) + int(words[12])
    return Process(pid, int(words[1]), int(words[3]), int(words[19]), cpu, int(words[21]) * PAGE)


def is_same(pid: int, start: int) -> bool:
    """Say whether this very process is alive."""
    found = process(pid)
    return found is not None and found.start == start


def every() -> dict[int, Process]:
    """Return all processes by id."""
    return {pid: found for pid in _pids() if (found := process(pid))}


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(_PROC) if entry.isdigit()]  # noqa: PTH208 - names only, and often


def environ(pid: int) -> dict[str, str]:
    """Return a process's first environment; empty where it can't be read."""
    parts = _environ(pid).split(b"\0")
    pairs = (part.decode(errors="replace").partition("=") for part in parts if b"=" in part)
    return {name: value for name, _, value in pairs}


def _environ(pid: int) -> bytes:
    """Return it as it is; empty where it can't be read, and for a process that only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - of every process, and often
            return file.read()
    except OSError:
        return b""


def descendants(roots: Iterable[int], table: dict[int, Process]) -> set[int]:
    """Return the roots and all that come from them."""
    children: dict[int, list[int]] = {}
    for entry in table.values():
        children.setdefault(entry.parent, []).append(entry.pid)
    found: set[int] = set()
    queue = [root for root in roots if root in table]
    while queue:
        pid = queue.pop()
        if pid not in found:
            found.add(pid)
            queue += children.get(pid, [])
    return found


def of_instance(data: Path, handle: str, table: dict[int, Process] | None = None) -> set[int]:
    """Return the processes that carry an instance's mark or stand in its directory, whoever their parent is.

    The directory counts too since an engine may write its title over its environment, as PostgreSQL's children do.
    """
    home = str(data / "services" / handle)
    marks = {f"ARCHIPEL_SERVICE={handle}".encode(), f"ARCHIPEL_DATA={data}".encode()}
    pids = _pids() if table is None else table.keys()
    found = {pid for pid in pids if marks <= set(_environ(pid).split(b"\0")) or _stands_in(pid, home)}
    return found - {os.getpid()}


def by_instance(data: Path) -> dict[str, set[int]]:
    """Return all marked processes of one data directory by handle."""
    found: dict[str, set[int]] = {}
    for pid in _pids():
        marks = environ(pid) if b"ARCHIPEL_SERVICE=" in _environ(pid) else {}
        if marks.get("ARCHIPEL_DATA") == str(data) and (handle := marks.get("ARCHIPEL_SERVICE")):
            found.setdefault(handle, set()).add(pid)
    return found


def _stands_in(pid: int, home: str) -> bool:
    try:
        place = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115 - of every process, and often
    except OSError:
        return False
    return place == home or place.startswith(f"{home}/")


def companion_of(pid: int) -> str:
    """Return the companion that a process is, or works for; empty for the main process and what comes from it."""
    return environ(pid).get(COMPANION, "").partition("/")[0]


def listens(pids: Iterable[int], port: int) -> bool:
    """Say whether one of the processes listens on a TCP port (proc_pid_net(5): state 0A)."""
    sockets = {inode for table in ("tcp", "tcp6") for inode in _listening(table, port)}
    return any(_socket(entry) in sockets for pid in pids for entry in _open_files(pid))


def _listening(table: str, port: int) -> Iterator[str]:
    path = _PROC / "net" / table
    lines = path.read_text().splitlines()[1:] if path.exists() else []  # a host may do without IPv6
    for words in map(str.split, lines):
        if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
            yield words[9]


def _open_files(pid: int) -> list[Path]:
    try:
        return list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return []


def _socket(entry: Path) -> str:
    """Return the inode of an open socket; empty for any other file."""
    try:
        return str(entry.readlink()).removeprefix("socket:[").removesuffix("]")
    except OSError:
        return ""


def memory_bytes(pid: int, rss: int) -> int:
    """Return a process's share of memory (PSS), so that pages shared by many count once; RSS where that is hidden."""
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return rss
