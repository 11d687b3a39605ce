"""Processor time of processes, in seconds: user and system together, all threads, as the kernel counts it (proc(5))."""

import os
import resource
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")  # a second


class Used:
    """What living processes use from here on: ``spent = Used(pids)``, and later ``spent.seconds()``."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._before = self._so_far()

    def seconds(self) -> float:
        """Raises FileNotFoundError where one of them is gone, and its time with it."""
        return self._so_far() - self._before

    def _so_far(self) -> float:
        return sum(_ticks(pid) for pid in self._pids) / TICKS


def of_ended_children() -> float:
    """Return what all children of this process used that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
