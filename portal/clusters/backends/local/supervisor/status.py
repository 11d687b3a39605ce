"""One instance's record together with who is told when it is news."""

from collections.abc import Callable

from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor.record import Record


class Status:
    """Writes what is seen and wakes the engine room when that matters."""

    def __init__(self, home: Home, wake: Callable[[str], None]) -> None:
        self._handle, self._wake = home.handle, wake
        self.record = Record(home)

    def see(self, **changes: object) -> None:
        """Change fields of the ``UnitState``."""
        self.tell(self.record.update(**changes))

    def step(self, name: str, message: str) -> None:
        """Begin a step of the way to running."""
        self.tell(self.record.begin_step(name, message))

    def tell(self, news: bool) -> None:
        if news:
            self._wake(self._handle)
