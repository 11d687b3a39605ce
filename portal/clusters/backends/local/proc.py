"""Reading /proc: who a process is, what it uses, and which processes belong to an instance."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
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
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    words = text[text.rindex(")") + 2 :].split()
    if words[0] in "ZX":
        return None
    cpu = int(words[11]) + int(words[12])
    return Process(pid, int(words[1]), int(words[3]), int(words[19]), cpu, int(words[21]) * PAGE)


def is_same(pid: int, start: int) -> bool:
    """Say whether this very process is alive."""
    found = process(pid)
    return found is not None and found.start == start


def every() -> dict[int, Process]:
    """Return all processes by id."""
    pids = (int(entry) for entry in os.listdir(_PROC) if entry.isdigit())  # noqa: PTH208 - names only, and often
    return {pid: found for pid in pids if (found := process(pid))}


def environ(pid: int) -> dict[str, str]:
    """Return a process's first environment; empty where it can't be read."""
    try:
        content = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (part.decode(errors="replace").partition("=") for part in content.split(b"\0") if b"=" in part)
    return {name: value for name, _, value in pairs}


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
    home = data / "services" / handle
    found = set()
    for pid in every() if table is None else table:
        marks = environ(pid)
        marked = marks.get("ARCHIPEL_SERVICE") == handle and marks.get("ARCHIPEL_DATA") == str(data)
        if marked or _stands_in(pid, home):
            found.add(pid)
    return found - {os.getpid()}


def by_instance(data: Path) -> dict[str, set[int]]:
    """Return all marked processes of one data directory by handle."""
    found: dict[str, set[int]] = {}
    for pid in every():
        marks = environ(pid)
        if marks.get("ARCHIPEL_DATA") == str(data) and (handle := marks.get("ARCHIPEL_SERVICE")):
            found.setdefault(handle, set()).add(pid)
    return found


def _stands_in(pid: int, home: Path) -> bool:
    try:
        return (_PROC / str(pid) / "cwd").readlink().is_relative_to(home)
    except OSError:
        return False


def memory_bytes(pid: int, rss: int) -> int:
    """Return a process's share of memory (PSS), so that pages shared by many count once; RSS where that is hidden."""
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return rss
