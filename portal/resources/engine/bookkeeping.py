"""What a turn means for children, operations and the activity list. Called inside the turn's transaction."""

import datetime
import uuid
from collections.abc import Iterable

from portal.core import conditions
from portal.core.conditions import Condition, Status
from portal.core.drivers import ChildObservation, Observation
from portal.core.offerings import Nature
from portal.resources import events
from portal.resources.engine import progress
from portal.resources.models import Change, Child, Operation, Resource

FINISHED = ("succeeded", "failed", "cancelled")


def children(
    resource: Resource, rows: Iterable[Child], observation: Observation | None, now: datetime.datetime
) -> set[uuid.UUID]:
    """Write what was seen of each child; return the ids of those that are gone now."""
    gone: set[uuid.UUID] = set()
    for child in rows:
        seen = observation.children.get(child.id) if observation else None
        if seen is None:
            continue
        if seen.state == "gone" and child.deletion_requested_at is not None:
            gone.add(child.id)
        elif _lay_over_child(resource, child, seen, now):
            child.save(update_fields=["state", "facts", "conditions", "observed_generation", "finished_at"])
    return gone


def _lay_over_child(resource: Resource, child: Child, seen: ChildObservation, now: datetime.datetime) -> bool:
    """Lay what was seen over a child's row; return whether that changed anything."""
    before = (child.state, child.facts, child.conditions, child.observed_generation)
    child.state = seen.state
    child.facts = {**child.facts, **seen.facts}
    ready = Status.TRUE if seen.state in ("ready", "succeeded") else Status.FALSE
    condition = Condition("Ready", ready, seen.reason or seen.state.capitalize(), seen.message[:500])
    child.conditions = conditions.merge(child.conditions, [condition], generation=child.generation, now=now)
    if seen.state in ("ready", *FINISHED):
        child.observed_generation = child.generation
    kind = resource.offering.child(child.kind)
    if kind and kind.nature is Nature.RUN and seen.state in FINISHED:
        child.finished_at = child.finished_at or now
    return before != (child.state, child.facts, child.conditions, child.observed_generation)


def unfinished(rows: Iterable[Child]) -> bool:
    """Whether some child is still on its way."""
    return any(child.state in ("pending", "running") or child.deletion_requested_at is not None for child in rows)


def earliest(due: datetime.datetime | None, resource: Resource) -> datetime.datetime | None:
    """Return when to look again: for a service in the bin that is the end of its days there."""
    if resource.purged_at is not None:
        return None
    if resource.deleted_at is not None and resource.purge_after is not None:
        return resource.purge_after if due is None else min(due, resource.purge_after)
    return due


def operations(
    resource: Resource,
    rows: list[Child],
    observation: Observation | None,
    gone: set[uuid.UUID],
    now: datetime.datetime,
) -> None:
    """Move every open operation on, and end those that are done, failed or too late."""
    by_id = {child.id: child for child in rows}
    for operation in Operation.objects.filter(resource=resource).open():
        child = by_id.get(operation.child_id) if operation.child_id else None
        progress.advance(operation, resource, child, observation, gone=operation.child_id in gone, now=now)
    Child.objects.filter(id__in=gone).delete()


def note_change(resource: Resource, before: tuple[str, str]) -> None:
    """Tell the activity list of a new state or health, and billing of a service that is gone for good."""
    if (resource.state, resource.health) == before:
        return
    severity = "warning" if resource.state == "failed" or resource.health == "unavailable" else "normal"
    events.note(resource, "StateChanged", _sentence(resource), severity=severity)
    if resource.purged_at is not None:
        _record_end(resource, resource.purged_at)


def _sentence(resource: Resource) -> str:
    if resource.health == "unknown":
        return str(resource.get_state_display())
    condition = conditions.find(resource.conditions, "Ready")
    words = f"{resource.get_state_display()}, {resource.get_health_display().lower()}"
    explain = condition is not None and condition.message and resource.health == "unavailable"
    return f"{words}: {condition.message}" if condition is not None and explain else words


def _record_end(resource: Resource, at: datetime.datetime) -> None:
    Change.objects.create(
        resource=resource,
        at=at,
        plan_slug=resource.plan_slug,
        spec=resource.spec,
        spec_version=resource.spec_version,
        running=False,
        present=False,
        tags=resource.tags,
    )
