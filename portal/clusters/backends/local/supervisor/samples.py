"""What instances use: disk, memory, processor, and what their engines say of themselves; an hour of it in memory."""

import os
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from portal.clusters.backends.local import proc

EVERY = 15.0  # seconds
_KEPT = 240  # one hour
_MOST_FILES = 200_000

UNITS = {"memory_bytes": "bytes", "disk_bytes": "bytes", "cpu_percent": "percent", "processes": "count"}


Roots = tuple[int, ...]  # the processes of an instance that all others come from


class Ring:
    """The samples of one instance, oldest first."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, float]]] = deque(maxlen=_KEPT)
        self._cpu: tuple[float, Roots, int] | None = None  # when, roots, ticks

    def add(self, values: Mapping[str, float]) -> None:
        self._samples.append((time.time(), dict(values)))

    def latest(self) -> Mapping[str, float]:
        return self._samples[-1][1] if self._samples else {}

    def cores(self, roots: Roots, ticks: int) -> float:
        """Return the cores used since the last call; 0 at the first one of these processes."""
        before, self._cpu = self._cpu, (time.monotonic(), roots, ticks)
        if before is None or before[1] != roots or (passed := self._cpu[0] - before[0]) <= 0:
            return 0.0
        return max(0, ticks - before[2]) / proc.TICKS / passed

    def series(self, since: float, until: float) -> dict[str, list[tuple[float, float]]]:
        """Return the points of each metric within a span of unix seconds."""
        found: dict[str, list[tuple[float, float]]] = {}
        for at, values in self._samples:
            if since <= at <= until:
                for name, value in values.items():
                    found.setdefault(name, []).append((at, value))
        return found


def measure(roots: Mapping[str, Roots], homes: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Measure all instances in one pass over the process table; slow enough to belong into a thread."""
    table = proc.every()
    found = {}
    for handle, home in homes.items():
        values: dict[str, float] = {"disk_bytes": float(disk_bytes(home))}
        if tree := [table[pid] for pid in proc.descendants(roots.get(handle, ()), table)]:
            values["memory_bytes"] = float(sum(proc.memory_bytes(entry.pid, entry.rss_bytes) for entry in tree))
            values["ticks"] = float(sum(entry.cpu_ticks for entry in tree))
            values["processes"] = float(len(tree))
        found[handle] = values
    return found


def disk_bytes(root: Path) -> int:
    """Return what a directory takes on the disk; counting ends after 200,000 files."""
    total, seen = 0, 0
    queue = [str(root)]
    while queue and seen < _MOST_FILES:
        try:
            with os.scandir(queue.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        queue.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total
