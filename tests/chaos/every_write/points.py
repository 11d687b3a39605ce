"""Points of a process's life at which it can be killed: before and after each effect, counted as they come.

An effect is whatever outlives the process: a write to the database, a commit, a file, a process, a message.
"""

import os
import signal
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Points:
    """Names the points that a process passes; at the ``kill_at``-th (from 1; 0: none) it kills itself."""

    def __init__(self, kill_at: int = 0) -> None:
        self.kill_at = kill_at
        self.names: list[str] = []

    def reach(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, effect: Callable[..., T]) -> Callable[..., T]:
        """Return ``effect`` with a point before and one after each call."""

        def counted(*args: Any, **options: Any) -> T:
            self.reach(f"before {name}")
            result = effect(*args, **options)
            self.reach(f"after {name}")
            return result

        return counted
