"""Beat's schedule over a clock that is set: Celery compares times of day, and one set back would hush it until then."""

import datetime
import time
from typing import Any

from celery.beat import PersistentScheduler
from celery.utils.time import maybe_make_aware

STEP = 2.0  # seconds between the clock and the time since boot that no drift explains
LONG_AGO = datetime.timedelta(days=1)


class SteadyScheduler(PersistentScheduler):
    """Has what was last sent in the future be due at once, at the start and whenever the clock was set."""

    _offset: float | None = None

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send what is due; return in how many seconds to look again."""
        offset = time.time() - time.monotonic()
        if self._offset is None or abs(offset - self._offset) > STEP:
            self._offset = offset
            self._heed_the_clock()
        return float(super().tick(*arguments, **options))

    def _heed_the_clock(self) -> None:
        for entry in self.schedule.values():
            now = entry.default_now()
            if entry.last_run_at and maybe_make_aware(entry.last_run_at) > now:
                entry.last_run_at = now - LONG_AGO
        self._heap = None  # made anew by the next tick
