"""The backend for Kubernetes: writes objects that operators serve, and reads what the watch has seen of them."""

import datetime
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.utils import timezone

from portal.clusters.backends.base import LogLine, Series, Tenancy, Wanted
from portal.clusters.backends.kubernetes import applying, deleting, discovery, logs, metrics, seen
from portal.clusters.backends.kubernetes.breaker import LOOK
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.backends.kubernetes.clients import client_of_turns
from portal.clusters.backends.kubernetes.entries import Entry, load
from portal.clusters.backends.kubernetes.place import Workplace
from portal.clusters.backends.kubernetes.refusals import explained
from portal.clusters.backends.kubernetes.secrets import ensure, reveal
from portal.clusters.backends.kubernetes.tenancy import prepare
from portal.clusters.models import Cluster, Inventory
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import SECRET, Manifest, secret_name
from portal.core.errors import PermanentError

IN_CASE = datetime.timedelta(seconds=60)  # the watch tells of what moves, unless it ended between its note and its word
UNWATCHED = datetime.timedelta(seconds=20)
_DELETED = "This service was deleted."
_NO_DOCUMENTS = "Services of this kind can't be run on Kubernetes: their parts are kept as one document."

# As SQL, since every turn asks it: composing it anew took a tenth of a turn's time.
_BEGIN = """
INSERT INTO clusters_inventory
       (cluster_id, handle, namespace, own_namespace, fence, generation, digest, entries, secrets, leftovers, deleting)
VALUES (%s, %s, %s, %s, 0, 0, '', '{}', '{}', '[]', false) ON CONFLICT DO NOTHING"""
_PLACE = """
SELECT inventory.*, namespace.project_id, namespace.digest AS ground
  FROM clusters_inventory inventory
  LEFT JOIN clusters_namespace namespace
    ON namespace.cluster_id = inventory.cluster_id AND namespace.name = inventory.namespace
 WHERE inventory.cluster_id = %s AND inventory.handle = %s"""


class KubernetesBackend:
    """Drives one Kubernetes cluster. ``client`` is given by tests only."""

    def __init__(self, cluster: Cluster, *, client: Client | None = None) -> None:
        self._cluster_id: uuid.UUID = cluster.id
        self._given = client
        self._turn = threading.local()  # the place that ``prepare`` has read, for the rest of the turn
        self._watched: frozenset[str] = frozenset()
        self._looked_at = float("-inf")  # monotonic seconds, when that was last read

    @property
    def _client(self) -> Client:
        return self._given or client_of_turns(self._cluster_id)

    def _place(self, handle: str) -> Workplace | None:
        """Return where a service's objects are written; None where nothing was ever asked for it."""
        row = self._place_row(handle)
        return None if row is None else Workplace(self._client, row, row.project_id or uuid.UUID(int=0))

    def _place_row(self, handle: str) -> Any:
        """Return the service's row, with the project and the digest of its namespace."""
        return next(iter(Inventory.objects.raw(_PLACE, [self._cluster_id, handle])), None)

    def _place_of_turn(self, handle: str) -> Workplace | None:
        """Return what ``prepare`` has read: until the turn's end only its own writes change that, or it is refused."""
        held: Workplace | None = getattr(self._turn, "place", None)
        return held if held is not None and held.handle == handle else self._place(handle)

    # ---- wishes ------------------------------------------------------------------------------------------------------

    def prepare(self, handle: str, tenancy: Tenancy) -> None:
        """Write down where the service lives, before anything is made for it there; then have the namespace."""
        self._turn.place = None
        row = self._place_row(handle)
        if row is None:
            with connection.cursor() as cursor:
                cursor.execute(_BEGIN, [self._cluster_id, handle, tenancy.namespace, tenancy.own])
            row = self._place_row(handle)
        if row.deleting:
            raise PermanentError(_DELETED)
        if row.namespace != tenancy.namespace:
            raise PermanentError("This service can't change its namespace. Make a copy of it instead.")
        prepare(self._client, self._cluster_id, tenancy, known=row.ground or "")
        self._turn.place = Workplace(self._client, row, tenancy.project_id)

    def ensure_secrets(self, handle: str, secrets: Iterable[GeneratedSecret]) -> None:
        place = self._place_of_turn(handle)
        if place is None or place.row.deleting:
            raise PermanentError(_DELETED)
        ensure(place, secrets)

    def apply(self, wanted: Wanted) -> None:
        place = self._place_of_turn(wanted.handle)
        self._turn.place = None
        if place is not None and not place.row.deleting:
            applying.apply(place, wanted)
            self._turn.place = place

    def documents(self, handle: str) -> Mapping[str, int]:
        return {}

    def put_document(self, handle: str, kind: str, revision: int, pieces: Iterable[str]) -> None:
        raise PermanentError(_NO_DOCUMENTS)

    def delete(self, handle: str, *, fence: int) -> None:
        place = self._place(handle)
        if place is not None:
            deleting.delete(place, fence=fence)

    # ---- what is there -----------------------------------------------------------------------------------------------

    def read(self, handle: str) -> list[Manifest]:
        """Return the objects as last seen; where the watch can't be relied on, the API server is asked for each."""
        place = self._place_of_turn(handle)
        self._turn.place, self._turn.is_watched = None, False
        if place is None:
            return []
        entries = load(place.row.entries)
        entries += [Entry(SECRET, secret_name(handle, name)) for name in place.row.secrets]
        self._turn.is_watched = self._is_watched({entry.kind.key for entry in entries})
        if not self._turn.is_watched:
            for entry in entries:
                _look(place, entry)
        return place.objects

    def _is_watched(self, kinds: set[str]) -> bool:
        if time.monotonic() - self._looked_at > LOOK:
            self._watched, self._looked_at = seen.watched(self._cluster_id, timezone.now()), time.monotonic()
        return kinds <= self._watched

    def patience(self) -> datetime.timedelta:
        return IN_CASE if getattr(self._turn, "is_watched", False) else UNWATCHED

    def leftovers(self, handle: str) -> list[str]:
        place = self._place(handle)
        return [] if place is None else deleting.leftovers(place)

    def discover(self) -> dict[str, Any]:
        return discovery.discover(self._cluster_id)

    # ---- reads for people --------------------------------------------------------------------------------------------

    def reveal(self, handle: str, names: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        place = self._place(handle)
        if place is None:
            return {}
        place.client = place.client.hurried()  # somebody waits for it
        return reveal(place, names)

    def logs(
        self, handle: str, *, since: datetime.datetime | None, until: datetime.datetime | None, limit: int
    ) -> list[LogLine]:
        return logs.tail(self._cluster_id, handle, since=since, until=until, limit=limit)

    def metrics(self, handle: str, *, since: datetime.datetime, until: datetime.datetime) -> list[Series]:
        return metrics.read(self._cluster_id, handle, since=since, until=until)

    def artifact(self, handle: str, name: str) -> Any:
        raise PermanentError("Backups in this region lie in its object store and can't be downloaded here.")

    def ca_pem(self) -> str:
        raise PermanentError("Each service in this region has a certificate authority of its own.")


def _look(place: Workplace, entry: Entry) -> None:
    """Ask for one object and note the answer."""
    with explained(place, entry.kind.kind):
        there = place.client.get(entry.kind, place.namespace(entry.kind), entry.name)
    if there is None:
        place.missing(entry.kind, entry.name)
    else:
        place.note(entry.kind, there)
