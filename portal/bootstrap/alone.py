"""Lets one process at a time do something, and says so to whoever has to wait."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.bootstrap.say import say


@contextmanager
def alone(path: Path, flags: int, waiting: str) -> Iterator[None]:
    """Hold a lock on ``path``, opened with these flags. Raises OSError where it can't be opened.

    ``waiting``: said once where somebody else holds it. A process that ends, however it does, holds nothing any more.
    """
    handle = os.open(path, flags, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
