"""Children by the thousand: their kind is one document, and what became of it comes to all rows at once.

A child's generation is the revision of the document that was the first to hold its latest wish, so that one number
from the backend says of every row whether it is in force. A turn looks at no single row.
"""

import datetime
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, cast

from django.db.models import F

from portal.clusters.backends.base import Backend
from portal.core import conditions
from portal.core.conditions import Condition, Status
from portal.core.drivers import Batching, BatchObservation, ChildView, Observation, View
from portal.core.offerings import ChildKind
from portal.resources.engine import view
from portal.resources.models import Child, Operation, Resource
from portal.resources.querysets import ChildQuerySet

AT_ONCE = 2000


def ask(resource: Resource, kind: ChildKind) -> int:
    """Ask for a new document; return its revision. The caller holds the service and gives it to what it changes."""
    revision = int(resource.batches.get(kind.slug, 0)) + 1
    resource.batches = {**resource.batches, kind.slug: revision}
    resource.save(update_fields=["batches"])
    return revision


def send(resource: Resource, seen: View, backend: Backend) -> None:
    """Give the backend the documents that it has not got in the revision that is asked for."""
    if not seen.batches:
        return
    driver = cast(Batching, resource.offering.drivers[resource.cluster.kind])
    there = backend.documents(resource.handle)
    for slug, revision in seen.batches.items():
        if there.get(slug, 0) < revision:
            pieces = driver.document(seen, slug, _wanted(resource, slug))
            backend.put_document(resource.handle, slug, revision, pieces)


def _wanted(resource: Resource, slug: str) -> Iterator[ChildView]:
    for child in _of(resource, slug).kept().order_by("id").iterator(AT_ONCE):
        if (found := view.child_view(resource.offering, child)) is not None:
            yield found


def _of(resource: Resource, slug: str) -> ChildQuerySet:
    return Child.objects.filter(resource=resource, kind=slug)


def settle(resource: Resource, observation: Observation | None, now: datetime.datetime) -> None:
    """Write what the backend says of each document to the rows that it holds. Rows that are gone are marked so."""
    for slug, seen in (observation.batches if observation else {}).items():
        rows = _of(resource, slug).filter(generation__lte=seen.revision).exclude(state="gone")
        rows.filter(deletion_requested_at__isnull=False).update(state="gone")
        taken = rows.kept().exclude(state="ready").exclude(id__in=list(seen.refused))
        written = _written(Condition("Ready", Status.TRUE, "Ready"), seen, now)
        taken.update(state="ready", observed_generation=F("generation"), conditions=written)
        _refuse(rows.kept(), seen, now)


def _refuse(rows: ChildQuerySet, seen: BatchObservation, now: datetime.datetime) -> None:
    """Write to each refused row why, where that is not what it says already."""
    changed = []
    for child in rows.filter(id__in=list(seen.refused)) if seen.refused else ():
        condition = Condition("Ready", Status.FALSE, "Refused", seen.refused[child.id])
        told = conditions.find(child.conditions, "Ready")
        if child.state != "failed" or told is None or told.message != condition.message:
            child.state, child.observed_generation = "failed", child.generation
            child.conditions = _written(condition, seen, now)
            changed.append(child)
    Child.objects.bulk_update(changed, ["state", "observed_generation", "conditions"], batch_size=AT_ONCE)


def _written(condition: Condition, seen: BatchObservation, now: datetime.datetime) -> list[dict[str, Any]]:
    return conditions.merge([], [condition], generation=seen.revision, now=now)


def forget_gone(resource: Resource) -> None:
    """Delete the rows whose removal has come into force, once their operations have been judged."""
    if resource.batches:
        Child.objects.filter(resource=resource, kind__in=resource.batches, state="gone").delete()


def named_by(operations: Iterable[Operation], resource: Resource) -> dict[uuid.UUID, Child]:
    """Return the rows that open operations are about, as they are now."""
    wanted = [operation.child_id for operation in operations if operation.child_kind in resource.batches]
    return Child.objects.in_bulk([key for key in wanted if key]) if wanted else {}


def refused_of(operation: Operation) -> int:
    """Return how many rows of one change the backend would not take."""
    rows = _of(operation.resource, operation.child_kind)
    return rows.filter(generation=operation.generation, state="failed").count()


def in_force(resource: Resource, observation: Observation) -> bool:
    """Whether the backend works with the documents that are asked for."""
    seen = observation.batches
    return all(slug in seen and seen[slug].revision >= revision for slug, revision in view.batches_of(resource).items())
