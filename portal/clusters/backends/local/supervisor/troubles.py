"""What keeps an instance from running, and how long to wait before the next try."""

import logging
import time
from dataclasses import dataclass

from portal.clusters.backends.local.render import RenderError

log = logging.getLogger(__name__)
STABLE = 60.0  # seconds of running after which a crash counts as the first again
CRASH_LOOP = 5  # crashes in a row
_FIRST_BACK_OFF, _LAST_BACK_OFF = 0.2, 30.0


class Problem(Exception):
    """A reason in CamelCase, a line for people, and in how many seconds to look again."""

    def __init__(self, reason: str, message: str, retry: float = 10.0) -> None:
        super().__init__(message)
        self.reason, self.retry = reason, retry


def explain(error: BaseException, whose: str) -> Problem:
    """Return what an error means to people; a bug goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RenderError):
        return Problem("InvalidUnit", str(error), 60.0)
    if isinstance(error, OSError):
        return Problem("HostTrouble", f"The machine refused: {error.strerror or error}.")
    log.error("%s: a bug kept it from converging", whose, exc_info=error)
    return Problem("InternalError", "Something unexpected happened; an operator finds it in the log.")


@dataclass(slots=True)
class Failures:
    """Crashes in a row and when the next start is due."""

    count: int = 0
    not_before: float = 0.0

    def add(self) -> None:
        self.count += 1
        self.not_before = time.monotonic() + min(_LAST_BACK_OFF, _FIRST_BACK_OFF * 2 ** (self.count - 1))

    def forget(self) -> None:
        self.count, self.not_before = 0, 0.0

    @property
    def left(self) -> float:
        """Seconds until a start is due."""
        return max(0.0, self.not_before - time.monotonic())

    @property
    def looping(self) -> bool:
        return self.count >= CRASH_LOOP
