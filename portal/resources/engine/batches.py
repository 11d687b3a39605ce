"""Children by the thousand: their kind is one document, and what became of it comes to all rows at once.

A child's generation is the revision of the document that was the first to hold its latest wish, so that one number
from the backend says of every row whether it is in force. A turn looks at no single row.
"""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

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
        _mark(taken, "ready", Condition("Ready", Status.TRUE, "Ready"), seen, now)
        for message, refused in _by_message(seen.refused).items():
            condition = Condition("Ready", Status.FALSE, "Refused", message)
            _mark(rows.kept().filter(id__in=refused).exclude(state="failed"), "failed", condition, seen, now)


def _mark(
    rows: ChildQuerySet, state: str, condition: Condition, seen: BatchObservation, now: datetime.datetime
) -> None:
    written = conditions.merge([], [condition], generation=seen.revision, now=now)
    rows.update(state=state, observed_generation=F("generation"), conditions=written)


def _by_message(refused: Mapping[uuid.UUID, str]) -> dict[str, list[uuid.UUID]]:
    groups: dict[str, list[uuid.UUID]] = defaultdict(list)
    for key, message in refused.items():
        groups[message].append(key)
    return groups


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
