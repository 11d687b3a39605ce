"""One instance's record together with who is told when it is news."""

import asyncio
from collections.abc import Callable

from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor.record import Record

TOGETHER = 0.5  # seconds: news on the way is told at most so often, or looking at it would slow the way down
SOON = 1.0  # seconds until the next try to write to a full disk


class Status:
    """Writes what is seen and wakes the engine room when that matters, at once where ``at_rest``: nothing follows."""

    def __init__(self, home: Home, wake: Callable[[str], None], at_rest: Callable[[], bool]) -> None:
        self._handle, self._wake, self._at_rest = home.handle, wake, at_rest
        self._later: asyncio.TimerHandle | None = None
        self._disk_told = -1
        self.record = Record(home)

    def see(self, **changes: object) -> None:
        """Change fields of the ``UnitState``."""
        self.tell(self.record.update(**changes))

    def step(self, name: str, message: str, /, **changes: object) -> None:
        """Begin a step of the way to running, and change fields of the ``UnitState`` along with it."""
        self.tell(self.record.begin_step(name, message, **changes))

    def finish_steps(self, **changes: object) -> None:
        """End the last step, and change fields of the ``UnitState`` along with it."""
        self.tell(self.record.finish_steps(**changes))

    def catch_up(self, delay: float) -> float:
        """Write down and tell what a full disk has held back. Return when to look again: soon while it is full."""
        if self.record.unsaved and self.record.save_if_possible():
            self._wake_now()
        return min(delay, SOON) if self.record.unsaved else delay

    def measured(self, used: int, room: int) -> None:
        """Wake where the disk has filled or emptied by a hundredth of its room (bytes): others know it by that only."""
        if self._disk_told >= 0 and room and abs(used - self._disk_told) * 100 < room:
            return
        self.tell(self._disk_told >= 0 and room > 0)
        self._disk_told = used

    def tell(self, news: bool) -> None:
        """Wake where there is news, together with what comes right after it."""
        if news and self._at_rest():
            self._wake_now()
        elif news and self._later is None:
            self._later = asyncio.get_running_loop().call_later(TOGETHER, self._wake_now)

    def _wake_now(self) -> None:
        if self._later:
            self._later.cancel()
        self._later = None
        self._wake(self._handle)
