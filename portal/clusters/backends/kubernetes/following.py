"""Follows one kind in one cluster, in a thread of its own: list, watch, go on from where it broke off, list again.

It writes nothing: what it is told goes to ``tell``, which may hold it up until that is written.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from portal.clusters.backends.kubernetes.client import Event, Expired, Stream
from portal.clusters.backends.kubernetes.clients import client_of
from portal.clusters.backends.kubernetes.seen import AT_ONCE
from portal.core.drivers.kubernetes import HANDLE_LABEL, MANAGED_BY, MANAGER, SECRET, Manifest, ObjectKind
from portal.core.errors import PermanentError, TemporaryError

logger = logging.getLogger(__name__)
OURS = f"{MANAGED_BY}={MANAGER}"
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0  # seconds; how long a dead cluster is left alone is the breaker's to say
# Seconds; the client takes 100 without a word for a dead connection, and of a kind in which nothing has happened since
# an API server's start there is no bookmark either (seen on 1.36).
LONGEST_WATCH = 90
SHORTEST_WATCH = 1.0  # one that ends sooner is not opened again at once, or something that cuts it has us run hot
LIST_EVERY = 3600.0  # a cluster that was put back from a backup counts from an earlier time, and no watch says so
REFUSED_PAUSE = 30.0  # the rights are missing, or the kind is: neither changes soon
LONGEST_HANDLE = 12


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a follower has to tell."""

    follower: "Follower"


@dataclass(frozen=True, slots=True)
class Connected(Told):
    """The watch is open: from now on it tells whatever changes."""


@dataclass(frozen=True, slots=True)
class Listing(Told):
    """A whole list of this version follows, in pieces."""

    version: str


@dataclass(frozen=True, slots=True)
class Noted(Told):
    """Objects with the handles of their services, as they are at ``version`` (empty: not told apart), or were last."""

    objects: tuple[tuple[str, Manifest], ...]
    gone: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class Listed(Told):
    """The list is told: what it does not name (namespace, name) was not there."""

    names: frozenset[tuple[str, str]]
    version: str


class Follower(threading.Thread):
    """``connected`` while its watch is open. ``version`` is where it goes on from; empty: with a list."""

    def __init__(self, cluster_id: uuid.UUID, kind: ObjectKind, version: str, tell: Callable[[Told], None]) -> None:
        super().__init__(name=f"watch {kind.key}", daemon=True)
        self.place = (cluster_id, kind.key)
        self.kind, self.version, self.connected = kind, version, False
        self._cluster_id, self._tell = cluster_id, tell
        self._stopped = threading.Event()
        self._list_at = time.monotonic() + LIST_EVERY
        self._stream: Stream | None = None

    def stop(self) -> None:
        """Have the thread end; it is not waited for."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.close()

    def run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopped.is_set():
            told = self._go_on()
            pause = FIRST_PAUSE if told is None else min(max(pause * 2, told), max(told, LONGEST_PAUSE))
            if told is not None:
                self._stopped.wait(pause)

    def _go_on(self) -> float | None:
        """Follow until the watch ends. Return None where it is to be opened again at once, else the least pause."""
        began = time.monotonic()
        try:
            self._follow()
        except Expired:
            self.version = ""
        except TemporaryError as error:
            logger.info("watch of %s broke off: %s", self.kind.key, getattr(error, "trouble", error))
            return max(FIRST_PAUSE, getattr(error, "retry_after", 0.0))
        except PermanentError as error:
            logger.warning("%s can't be watched: %s", self.kind.key, error)
            return REFUSED_PAUSE
        except Exception:
            logger.exception("watch of %s broke", self.kind.key)
            return LONGEST_PAUSE
        finally:
            self.connected = False
            connection.close()
        return None if time.monotonic() - began > SHORTEST_WATCH else FIRST_PAUSE

    def _follow(self) -> None:
        client, metadata_only = client_of(self._cluster_id), self.kind.key == SECRET.key
        if not self.version or time.monotonic() > self._list_at:
            items, version = client.list(self.kind, selector=OURS, metadata_only=metadata_only)
            self._tell_list(items, version)
        stream = client.watch(
            self.kind,
            resource_version=self.version,
            selector=OURS,
            metadata_only=metadata_only,
            timeout_seconds=LONGEST_WATCH,
        )
        connection.close()  # the thread only waits from here on
        self._stream, self.connected = stream, True
        self._tell(Connected(self))
        for event in stream:
            if self._stopped.is_set():
                return
            self._tell_event(event)

    def _tell_list(self, items: list[Manifest], version: str) -> None:
        self._tell(Listing(self, version))
        ours = [(handle, one) for one in items if (handle := _handle_of(one))]
        for start in range(0, len(ours), AT_ONCE):
            self._tell(Noted(self, tuple(ours[start : start + AT_ONCE])))
        names = frozenset((one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in items)
        self._tell(Listed(self, names, version))
        self.version, self._list_at = version, time.monotonic() + LIST_EVERY

    def _tell_event(self, event: Event) -> None:
        version = event.object["metadata"]["resourceVersion"]
        handle = "" if event.type == "BOOKMARK" else _handle_of(event.object)
        objects = ((handle, event.object),) if handle else ()
        self._tell(Noted(self, objects, gone=event.type == "DELETED", version=version))
        self.version = version


def _handle_of(told: Manifest) -> str:
    """Return whose object it is; empty where it is nobody's, such as a namespace's own policy."""
    handle = str((told["metadata"].get("labels") or {}).get(HANDLE_LABEL, ""))
    return handle if len(handle) <= LONGEST_HANDLE else ""
