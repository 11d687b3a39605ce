"""Keeps the roles of an instance running: starts them, notices when one ends, starts it again."""

import os
import select
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from portal.instance import logs
from portal.instance.processes import Kept, Role, reap

TICK = 1.0  # seconds at most between two looks at what is due


class Keeper:
    """The roles by name, in the order in which they were added."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.kept: dict[str, Kept] = {}
        self.spared: set[int] = set()  # children whose end somebody else waits for
        self._rotated = 0.0

    def add(self, role: Role, *, adopt: bool = False) -> None:
        """Keep a role from now on; one that still runs is taken over where ``adopt`` allows."""
        kept = self.kept[role.name] = Kept(role, self.data)
        if not (adopt and kept.adopt()):
            kept.try_start()

    def turn(self, seconds: float = TICK) -> list[str]:
        """Wait until a role ends or ``seconds`` pass, restart what is due, return the names of the ended."""
        ended = self._ended(seconds)
        for kept in ended:
            kept.lost()
        reap(self.spared)
        for kept in self.kept.values():
            if kept.handle < 0 and time.monotonic() >= kept.due:
                kept.try_start()
        self._rotate()
        return [kept.role.name for kept in ended]

    def _ended(self, seconds: float) -> list[Kept]:
        """Return the roles that end within the time, or by when the next restart is due."""
        poll = select.poll()
        running = {kept.handle: kept for kept in self.kept.values() if kept.handle >= 0}
        for handle in running:
            poll.register(handle, select.POLLIN)
        dues = [kept.due - time.monotonic() for kept in self.kept.values() if kept.handle < 0]
        timeout = max(0.0, min([seconds, *dues]))
        return [running[handle] for handle, _ in poll.poll(timeout * 1000)]

    def stop(self, names: Iterable[str], deadline: "Deadline") -> None:
        """Stop roles together, and forget them."""
        stopping = [self.kept.pop(name) for name in names if name in self.kept]
        for kept in stopping:
            kept.ask_to_stop()
        for kept in stopping:
            kept.stop(deadline.patience)
        reap()

    def _rotate(self) -> None:
        if time.monotonic() - self._rotated > logs.LOOK_EVERY:
            self._rotated = time.monotonic()
            with suppress(OSError):  # a disk that is full has no room for another copy
                logs.rotate(self.data / "log")


class Deadline:
    """The time that stopping may take; it shrinks when the user says so again."""

    HURRIED = 1.0

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.hurried = False

    def patience(self, seconds: float) -> float:
        """Return how long a step may take that would like to have ``seconds``."""
        left = max(0.2, self._end - time.monotonic())
        return min(seconds, left, self.HURRIED) if self.hurried else min(seconds, left)


def become_subreaper() -> None:
    """Have orphaned grandchildren handed to this process, so that none gets out of sight (prctl(2))."""
    import ctypes

    if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0):
        raise OSError(f"prctl failed in process {os.getpid()}")
