"""What a process has asked of API servers, and when it waited for answers."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit


class Wait(NamedTuple):
    """One request: from when to when (monotonic seconds, the same in all processes of a host)."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Wire:
    """The requests of this process by the API server's port."""

    def __init__(self) -> None:
        self.waits: dict[int, list[Wait]] = {}

    def to(self, port: int) -> list[Wait]:
        return self.waits.setdefault(port, [])

    def note(self, url: str, wait: Wait) -> None:
        self.to(urlsplit(url).port or 443).append(wait)


def at_once(waits: Iterable[Wait]) -> int:
    """Return how many were waited for at the same time, at most."""
    found = list(waits)
    return max((sum(one.began <= moment.began < one.ended for one in found) for moment in found), default=0)
