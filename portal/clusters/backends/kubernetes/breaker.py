"""Leaves a cluster alone that does not answer: all processes together try it once, after pauses that grow.

The row holds the truth (``Cluster.silent_since``, ``retry_at``, ``trouble``); each process reads it once a second at
most.
"""

import datetime
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from django.utils import timezone

from portal.clusters.backends.kubernetes.answers import Busy, Silent
from portal.clusters.models import Cluster
from portal.core.errors import PermanentError, TemporaryError

AT_ONCE = 8  # requests to one cluster that one process makes at the same time
PATIENCE = 2.0  # seconds that a request waits for its turn
LOOK = 1.0  # seconds between two looks at the row
SHORTEST = datetime.timedelta(seconds=5)
LONGEST = datetime.timedelta(seconds=60)


class Gate(Protocol):
    """What each request passes through."""

    def asking(self) -> AbstractContextManager[None]:
        """Around a request: raises Silent at once where the cluster is left alone; notes how it went."""
        ...

    def watching(self) -> AbstractContextManager[None]:
        """The same around the beginning of a watch, which holds no place among the requests."""
        ...


class OpenGate:
    """Lets everything through: for a cluster that has no row yet."""

    def asking(self) -> AbstractContextManager[None]:
        return nullcontext()

    def watching(self) -> AbstractContextManager[None]:
        return nullcontext()


def pause(silent_for: datetime.timedelta) -> datetime.timedelta:
    """Return how long to leave a cluster alone that has been silent for so long: 5 s, doubling, to a minute."""
    return min(max(silent_for, SHORTEST), LONGEST)


class Breaker:
    """The gate of one cluster in one process."""

    def __init__(self, cluster_id: uuid.UUID) -> None:
        self._cluster_id = cluster_id
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._looked_at = float("-inf")
        self._silent_since: datetime.datetime | None = None
        self._retry_at: datetime.datetime | None = None

    def tell(self, silent_since: datetime.datetime | None, retry_at: datetime.datetime | None) -> None:
        """Take what somebody has just read of the row."""
        self._silent_since, self._retry_at = silent_since, retry_at
        self._looked_at = time.monotonic()

    @contextmanager
    def asking(self) -> Iterator[None]:
        self._admit()
        if not self._slots.acquire(timeout=PATIENCE):
            raise Busy(f"{AT_ONCE} requests of this process are under way already.")
        try:
            with self._noting():
                yield
        finally:
            self._slots.release()

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._admit()
        with self._noting():
            yield

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except Busy:
            self._note_answer()
            raise
        except Silent as error:
            self._note_silence(error.trouble)
            raise
        except (PermanentError, TemporaryError):  # it said no: it answers
            self._note_answer()
            raise
        self._note_answer()

    def _admit(self) -> None:
        if time.monotonic() - self._looked_at > LOOK:
            self._look()
        now = timezone.now()
        if self._retry_at is None:
            return
        if self._retry_at > now or not self._take_the_try(now):
            raise Silent(f"It has not answered since {self._silent_since:%H:%M:%S} UTC.")

    def _look(self) -> None:
        row = Cluster.objects.filter(id=self._cluster_id).values_list("silent_since", "retry_at").first()
        self.tell(*(row or (None, None)))

    def _take_the_try(self, now: datetime.datetime) -> bool:
        """Whether this process is the one that may see if the cluster is back; the others go on waiting."""
        later = now + pause(now - (self._silent_since or now))
        mine = Cluster.objects.filter(id=self._cluster_id, retry_at=self._retry_at).update(retry_at=later)
        if not mine:
            self._look()
            return self._retry_at is None
        self._retry_at = later
        return True

    def _note_answer(self) -> None:
        if self._silent_since is None and self._retry_at is None:
            return
        Cluster.objects.filter(id=self._cluster_id).update(silent_since=None, retry_at=None, trouble="")
        self.tell(None, None)

    def _note_silence(self, trouble: str) -> None:
        now = timezone.now()
        since = self._silent_since or now
        later = now + pause(now - since)
        Cluster.objects.filter(id=self._cluster_id).update(silent_since=since, retry_at=later, trouble=trouble[:500])
        self.tell(since, later)
