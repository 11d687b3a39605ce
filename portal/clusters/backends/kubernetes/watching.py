"""Watches the kinds in use in every Kubernetes cluster and keeps ``seen`` up to date (``manage.py watchclusters``).

A thread per cluster and kind reads (``following``); this one alone writes, in the order in which it was told, and calls
whoever is to know of news. Silence of one cluster is the trouble of its own threads.
"""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable

from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from portal.clusters.backends.kubernetes import seen
from portal.clusters.backends.kubernetes.following import Connected, Follower, Listed, Listing, Noted, Told
from portal.clusters.models import Cluster, Watch
from portal.clusters.placement import is_served
from portal.core import registry
from portal.core.drivers.kubernetes import SECRET, ObjectKind, driver_of

logger = logging.getLogger(__name__)
LOOK_SECONDS = 5.0  # between two looks at which clusters and kinds there are
BEAT_SECONDS = 15.0  # between two notes that what is connected is connected
QUIET_SECONDS = 0.25  # one service is woken at most once in this time
SWEEP_SECONDS = 300.0
BACKLOG = 1_000  # what the threads may be ahead
Wake = Callable[[str], None]
Place = tuple[uuid.UUID, str]


def kinds_in_use(slugs: Collection[str] | None = None) -> dict[str, ObjectKind]:
    """Return by key the kinds that drivers of these offerings (None: all) may render; Secrets are the backend's own."""
    offerings = [one for slug, one in registry.offerings().items() if slugs is None or slug in slugs]
    drivers = [driver for one in offerings if (driver := driver_of(one.drivers))]
    return {SECRET.key: SECRET, **{kind.key: kind for driver in drivers for kind in driver.kinds}}


def served(cluster: Cluster, kinds: Iterable[ObjectKind]) -> list[ObjectKind]:
    """Return those of the kinds that a cluster serves, as discovery found it last."""
    return [kind for kind in kinds if is_served(kind, cluster)]


class Watching:
    """All watches of this process. ``wake`` is called with the handle of each service that something is news for."""

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._told: queue.Queue[Told] = queue.Queue(BACKLOG)
        self._followers: dict[Place, Follower] = {}
        self._rows: dict[Place, Watch] = {}
        self._pending: dict[str, float] = {}  # handle -> when to wake it (monotonic seconds)
        self._woken: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Watch until told to stop. What has broken is tried again; nothing ends this but ``stop``."""
        due = dict.fromkeys((self._look, self._beat, self._sweep), 0.0)
        every = {self._look: LOOK_SECONDS, self._beat: BEAT_SECONDS, self._sweep: SWEEP_SECONDS}
        while not stop.is_set():
            for act, at in due.items():
                if time.monotonic() >= at and self._is_done(act):
                    due[act] = time.monotonic() + every[act]
            self._take(stop)
            self._is_done(self._wake_pending)
        self._is_done(self._beat)  # the next process goes on from here
        for follower in self._followers.values():
            follower.stop()

    def _is_done(self, act: Callable[[], None]) -> bool:
        """Do something with the database; where that fails it is done again later."""
        try:
            act()
        except Exception:
            logger.exception("the watch can't go on with %s", act.__name__)
            close_old_connections()
            time.sleep(1.0)
            return False
        return True

    # ---- what is watched ---------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take up clusters and kinds that are new, and drop those that are gone."""
        wanted = self._wanted()
        for place in self._followers.keys() - wanted.keys():
            self._followers.pop(place).stop()
            self._rows.pop(place, None)
        for place in wanted.keys() - self._followers.keys():
            self._begin(place, wanted[place])
        Watch.objects.exclude(id__in=[row.id for row in self._rows.values()]).delete()

    def _wanted(self) -> dict[Place, ObjectKind]:
        kinds = kinds_in_use()
        clusters = Cluster.objects.filter(kind=Cluster.Kind.KUBERNETES, enabled=True).only("id", "capabilities")
        return {(row.id, kind.key): kind for row in clusters for kind in served(row, kinds.values())}

    def _begin(self, place: Place, kind: ObjectKind) -> None:
        cluster_id, key = place
        row, _made = Watch.objects.get_or_create(cluster_id=cluster_id, kind=key)
        self._rows[place] = row
        follower = self._followers[place] = Follower(cluster_id, kind, row.resource_version, self._told.put)
        follower.start()

    # ---- what is told ------------------------------------------------------------------------------------------------

    def _take(self, stop: threading.Event) -> None:
        """Write what was told next, and what is there already; wait for it no longer than something else is due."""
        try:
            told = self._told.get(timeout=self._patience())
        except queue.Empty:
            return
        while not stop.is_set() and not self._is_written(told):
            time.sleep(1.0)  # the database is away: what comes after this has to wait

    def _patience(self) -> float:
        nearest = min(self._pending.values(), default=float("inf"))
        return max(0.0, min(0.5, nearest - time.monotonic()))

    def _is_written(self, told: Told) -> bool:
        """Write something; what can't be written at all is left to the sweep. False: the database is away."""
        place = told.follower.place
        if self._followers.get(place) is not told.follower:
            return True
        try:
            self._write(told, place)
        except (OperationalError, InterfaceError) as error:
            logger.warning("the database does not answer: %s", error)
            close_old_connections()
            return False
        except Exception:
            logger.exception("what was told of %s can't be kept", place[1])
        return True

    def _write(self, told: Told, place: Place) -> None:
        cluster_id, kind, row = place[0], told.follower.kind, self._rows[place]
        match told:
            case Connected():
                self._mark_alive([row])
            case Listing(version=version):
                if int(version) < int(row.resource_version or 0):  # put back from a backup: its numbers begin again
                    seen.forget_kind(cluster_id, kind)
            case Noted(objects=objects, gone=gone, version=version):
                self._news(seen.note_all(cluster_id, [(kind, *one) for one in objects], gone=gone))
                row.resource_version = version or row.resource_version
            case Listed(names=names, version=version):
                self._news(seen.missing_from_list(cluster_id, kind, names, int(version)))
                row.resource_version = version

    def _beat(self) -> None:
        """Note which watches are connected, and from where each goes on after a restart."""
        self._mark_alive([row for place, row in self._rows.items() if self._followers[place].connected])

    def _mark_alive(self, rows: list[Watch]) -> None:
        now = timezone.now()
        for row in rows:
            row.alive_at = now
        Watch.objects.bulk_update(rows, ["alive_at", "resource_version"])

    def _sweep(self) -> None:
        seen.sweep(timezone.now())
        old = time.monotonic() - 10 * QUIET_SECONDS
        self._woken = {handle: at for handle, at in self._woken.items() if at > old}

    # ---- who is told -------------------------------------------------------------------------------------------------

    def _news(self, handles: Iterable[str]) -> None:
        """Have services woken: at once, but not again and again while one change comes in many pieces."""
        now = time.monotonic()
        for handle in handles:
            self._pending.setdefault(handle, max(now, self._woken.get(handle, 0.0) + QUIET_SECONDS))

    def _wake_pending(self) -> None:
        now = time.monotonic()
        for handle in [handle for handle, at in self._pending.items() if at <= now]:
            self._wake(handle)
            self._woken[handle] = now
            del self._pending[handle]
