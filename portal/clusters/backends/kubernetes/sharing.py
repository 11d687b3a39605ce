"""Leaves one worker of each host to the other clusters: one that falls silent can't have them all wait for it.

Whoever makes a request in a turn holds a place among the cluster's on this host: a name that one process at a time can
bind, and that goes with the process, however it ends.
"""

import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from django.conf import settings

from portal.bootstrap.paths import digest
from portal.clusters.backends.kubernetes.answers import Busy
from portal.clusters.backends.kubernetes.breaker import Gate

PATIENCE = 0.5  # seconds that a request waits for a place
DOUBT = 2.0  # seconds for which it then waits for none: whoever holds the places waits for something
LOOK = 0.005


class Sharing:
    """The gate of the engine's turns, before the cluster's own. One per cluster and process."""

    def __init__(self, cluster_id: uuid.UUID, gate: Gate) -> None:
        self._gate = gate
        self._name = f"\0archipel-{digest(settings.ARCHIPEL_DATA)}-{cluster_id}"
        self._doubted_until = float("-inf")

    @contextmanager
    def asking(self) -> Iterator[None]:
        with self._place(), self._gate.asking():
            yield

    def watching(self) -> AbstractContextManager[None]:
        return self._gate.watching()

    def _place(self) -> socket.socket:
        """Return a place, which is free again once it is closed. Raises Busy."""
        now = time.monotonic()
        until = now if now < self._doubted_until else now + PATIENCE
        while (found := self._free()) is None:
            if time.monotonic() >= until:
                self._doubted_until = time.monotonic() + DOUBT
                raise Busy(f"{places()} workers of this host wait for its answers already.")
            time.sleep(LOOK)
        return found

    def _free(self) -> socket.socket | None:
        names = (f"{self._name}-{number}" for number in range(places()))
        return next((found for name in names if (found := _bound(name)) is not None), None)


def places() -> int:
    """Return how many workers of this host may ask one cluster at the same time: all but one."""
    return max(1, settings.WORKER_PROCESSES - 1)


def _bound(name: str) -> socket.socket | None:
    """Take a name that is not in any file system; None where somebody has it."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(name)
    except OSError:
        holder.close()
        return None
    return holder
