"""Whether the main process of an instance answers, and since when it does not."""

import asyncio
import time

from portal.clusters.backends.local.layout import Wish
from portal.clusters.backends.local.supervisor import probing
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.keeper import Keeper
from portal.clusters.backends.local.supervisor.status import Status
from portal.core.drivers import Phase, Probe


class Answers:
    """What the probes of one instance's main process came to. ``news`` is set when something new may be asked."""

    def __init__(self, status: Status, keeper: Keeper, news: asyncio.Event) -> None:
        self._status, self._keeper, self._news = status, keeper, news
        self._misses = 0
        self._last, self._generation = 0.0, -1  # when it answered last, and at which generation

    async def come(self, wish: Wish, probe: Probe, place: Place) -> bool:
        """Probe until it answers, it ends, or there is news. Return whether it has answered."""
        if self._has_just_come(wish, probe):
            return True
        if not await probing.until_answer(self, probe, place, starting=not self._was_up):
            return False
        self._misses, self._last, self._generation = 0, time.monotonic(), wish.generation
        return True

    def forget(self) -> None:
        """Believe nothing of what was: another process runs, or something went wrong."""
        self._misses, self._last = 0, 0.0

    def _has_just_come(self, wish: Wish, probe: Probe) -> bool:
        """Whether a look that came early, with nothing new asked, need not ask once more."""
        since = time.monotonic() - self._last
        return self._generation == wish.generation and since < probe.every_seconds / 2

    @property
    def _was_up(self) -> bool:
        return self._status.record.seen.phase is Phase.RUNNING

    # ---- for the probing ---------------------------------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        return self._keeper.engine is not None and self._keeper.engine.alive

    @property
    def has_news(self) -> bool:
        return self._news.is_set()

    async def rest(self, delay: float) -> None:
        await probing.rest(delay, self._news, self._keeper.engine)

    def doubt(self, line: str, waited: float) -> None:
        """Say that it does not answer: after some misses where it had answered, after a minute where it never did."""
        self._misses += 1
        if self._was_up and self._misses >= probing.MISSES:
            self._last = 0.0
            self._status.see(ready=False, reason="NotReady", message=line)
        elif not self._was_up and waited > probing.PATIENT:
            self._status.see(reason="NotReady", message=line)
