"""What was last seen of a service's objects: rows that the watch and the answers to our own writes keep.

The backend reads them instead of asking the API server; only what is newer replaces what is there, so that watch and
workers may write in any order. Resource versions of one kind are numbers that rise (KEP-5504).
"""

import datetime
import json
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from portal.clusters.models import SeenObject, Watch
from portal.core.drivers.kubernetes import SECRET, Manifest, ObjectKind

FRESH = datetime.timedelta(seconds=60)  # how long a watch is relied on after it was last known to be connected
KEPT = datetime.timedelta(minutes=10)  # how long it is remembered that an object is gone: answers under way are younger
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
AT_ONCE = 200  # objects of one statement
_INSERT = """
INSERT INTO clusters_seenobject AS seen
       (cluster_id, handle, kind, namespace, name, uid, resource_version, content, gone, seen_at)
VALUES """
_NEWER = """
ON CONFLICT (cluster_id, kind, namespace, name) DO UPDATE
   SET handle = excluded.handle, uid = excluded.uid, resource_version = excluded.resource_version,
       content = excluded.content, gone = excluded.gone, seen_at = excluded.seen_at
 WHERE seen.resource_version < excluded.resource_version
    OR (seen.resource_version = excluded.resource_version AND excluded.gone AND NOT seen.gone)
RETURNING seen.handle
"""
_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def note(cluster_id: uuid.UUID, handle: str, kind: ObjectKind, told: Manifest, *, gone: bool = False) -> bool:
    """Keep an object as an API server has told it, unless a newer one is known. Return whether it was news.

    ``gone`` says that it was told as deleted. Of a Secret only what is not secret is kept.
    """
    return bool(note_all(cluster_id, [(kind, handle, told)], gone=gone))


def note_all(
    cluster_id: uuid.UUID, told: Sequence[tuple[ObjectKind, str, Manifest]], *, gone: bool = False
) -> set[str]:
    """Keep different objects, each with its service's handle. Return the handles that some are news for."""
    now, news = timezone.now(), set()
    for start in range(0, len(told), AT_ONCE):
        batch = told[start : start + AT_ONCE]
        values = [value for kind, handle, one in batch for value in _row(cluster_id, handle, kind, one, gone, now)]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT + ", ".join([_ROW] * len(batch)) + _NEWER, values)
            news |= {handle for (handle,) in cursor.fetchall()}
    return news


def _row(
    cluster_id: uuid.UUID, handle: str, kind: ObjectKind, told: Manifest, gone: bool, now: datetime.datetime
) -> tuple[Any, ...]:
    metadata = told["metadata"]
    return (
        cluster_id, handle, kind.key, metadata.get("namespace", ""), metadata["name"], metadata["uid"],
        int(metadata["resourceVersion"]), _as_json(kept(kind, told)), gone, now,
    )  # fmt: skip


def kept(kind: ObjectKind, told: Manifest) -> Manifest:
    """Return what is kept of an object: all but who manages which field; of a Secret the metadata, as it is watched."""
    metadata = {key: value for key, value in told["metadata"].items() if key != "managedFields"}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
    rest = {} if kind.key == SECRET.key else told
    return {**rest, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _as_json(content: Manifest) -> str:
    return json.dumps(content).replace("\\u0000", "\\ufffd")  # the one character that jsonb refuses


def missing(cluster_id: uuid.UUID, kind: ObjectKind, namespace: str, name: str) -> bool:
    """Note that the API server has answered that there is no such object. Return whether it was news."""
    rows = SeenObject.objects.filter(cluster_id=cluster_id, kind=kind.key, namespace=namespace, name=name, gone=False)
    return bool(rows.update(gone=True, seen_at=timezone.now()))


def missing_from_list(
    cluster_id: uuid.UUID, kind: ObjectKind, listed: Collection[tuple[str, str]], version: int
) -> set[str]:
    """Note as gone what a whole list of a kind does not show. Return the handles that this is news for.

    ``listed``: (namespace, name) of each. What was noted since the list was made (``version``) is left alone.
    """
    rows = SeenObject.objects.filter(cluster_id=cluster_id, kind=kind.key, gone=False, resource_version__lte=version)
    found = [row for row in rows.only("handle", "namespace", "name") if (row.namespace, row.name) not in listed]
    living = SeenObject.objects.filter(gone=False, resource_version__lte=version)
    return {row.handle for row in found if living.filter(id=row.id).update(gone=True, seen_at=timezone.now())}


def objects(cluster_id: uuid.UUID, handle: str) -> list[Manifest]:
    """Return the living objects of a service as last seen."""
    rows = SeenObject.objects.filter(cluster_id=cluster_id, handle=handle, gone=False)
    return list(rows.order_by("kind", "namespace", "name").values_list("content", flat=True))


def watched(cluster_id: uuid.UUID, now: datetime.datetime) -> frozenset[str]:
    """Return the keys of the kinds of which what was seen can be relied on: their watches are connected."""
    alive = Watch.objects.filter(cluster_id=cluster_id, alive_at__gt=now - FRESH)
    return frozenset(alive.values_list("kind", flat=True))


def forget(cluster_id: uuid.UUID, handle: str) -> None:
    """Drop what was seen of a service that is gone."""
    SeenObject.objects.filter(cluster_id=cluster_id, handle=handle).delete()


def forget_kind(cluster_id: uuid.UUID, kind: ObjectKind) -> None:
    """Drop what was seen of a kind: its cluster was put back to an earlier time, and counts from there."""
    SeenObject.objects.filter(cluster_id=cluster_id, kind=kind.key).delete()


def sweep(now: datetime.datetime) -> None:
    """Drop what has been gone for long enough."""
    SeenObject.objects.filter(gone=True, seen_at__lt=now - KEPT).delete()
