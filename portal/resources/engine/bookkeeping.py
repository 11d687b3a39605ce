"""What a turn means for children, operations and the activity list. Called inside the turn's transaction."""

import datetime
import json
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from portal.core import conditions
from portal.core.conditions import Condition, Status
from portal.core.drivers import ChildObservation, Observation
from portal.core.offerings import Nature
from portal.resources import events, happenings, history
from portal.resources.engine import batches, progress
from portal.resources.models import Child, Operation, Resource, State

FINISHED = ("succeeded", "failed", "cancelled")
LARGEST_FACTS = 64 * 1024  # bytes of JSON; what is larger belongs into a store of its own


def children(
    resource: Resource, rows: Iterable[Child], observation: Observation | None, now: datetime.datetime
) -> frozenset[uuid.UUID]:
    """Write what was seen of each child; return the ids of those that are gone now."""
    gone: set[uuid.UUID] = set()
    for child in rows:
        seen = observation.children.get(child.id) if observation else None
        if seen is None:
            continue
        if seen.state == "gone" and child.deletion_requested_at is not None:
            gone.add(child.id)
        elif lay_over_child(resource, child, seen, now):
            _save_seen(child)
    return frozenset(gone)


def _save_seen(child: Child) -> None:
    """Save what was seen, unless something else is asked by now: what becomes of that, the next turn sees."""
    names = ("state", "facts", "conditions", "observed_generation", "finished_at")
    rows = Child.objects.filter(id=child.id, generation=child.generation)
    rows.update(**{name: getattr(child, name) for name in names})


def lay_over_child(resource: Resource, child: Child, seen: ChildObservation, now: datetime.datetime) -> bool:
    """Lay what was seen over a child's row; return whether that changed anything."""
    before = (child.state, child.facts, child.conditions, child.observed_generation)
    child.state = seen.state
    child.facts = capped({**child.facts, **seen.facts})
    ready = Status.TRUE if seen.state in ("ready", "succeeded") else Status.FALSE
    condition = Condition("Ready", ready, seen.reason or seen.state.capitalize(), seen.message)
    child.conditions = conditions.merge(child.conditions, [condition], generation=child.generation, now=now)
    if seen.state in ("ready", *FINISHED):
        child.observed_generation = child.generation
    kind = resource.offering.child(child.kind)
    if kind and kind.nature is Nature.RUN and seen.state in FINISHED:
        child.finished_at = child.finished_at or now
    return before != (child.state, child.facts, child.conditions, child.observed_generation)


def capped(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts that fit into a row. Raises ValueError for larger ones: a driver that collects is a bug."""
    size = len(json.dumps(facts, cls=DjangoJSONEncoder))
    if size > LARGEST_FACTS:
        raise ValueError(f"facts of {size} bytes; at most {LARGEST_FACTS} are kept")
    return facts


def unfinished(rows: Iterable[Child]) -> bool:
    """Whether some child is still on its way."""
    return any(child.state in ("pending", "running") or child.deletion_requested_at is not None for child in rows)


def earliest(
    due: datetime.datetime | None, resource: Resource, still_open: Iterable[Operation], now: datetime.datetime
) -> datetime.datetime | None:
    """Return when to look again: at the latest at the end of its days in the bin, and of an operation's time."""
    if resource.purged_at is not None:
        return None
    over = resource.purge_after if resource.purge_after and resource.purge_after > now else None
    return min((at for at in (due, over, *(o.deadline_at for o in still_open)) if at is not None), default=None)


def operations(seen: progress.Seen) -> list[Operation]:
    """Move every open operation on, and end those that are done, failed or too late; return what is still open."""
    found = list(Operation.objects.filter(resource=seen.resource).open())
    seen = replace(seen, children={**seen.children, **batches.named_by(found, seen.resource)})
    for operation in found:
        operation.resource = seen.resource
        progress.advance(operation, seen)
    Child.objects.filter(id__in=seen.gone).delete()
    batches.forget_gone(seen.resource)
    return [operation for operation in found if operation.is_open]


def note_change(resource: Resource, before: tuple[str, str]) -> None:
    """Tell the activity list of a new state or health, and billing of a service that is gone for good."""
    if (resource.state, resource.health) == before:
        return
    if not before[0] == resource.state == State.PROVISIONING:  # how an order goes is told by its operation
        severity = "warning" if resource.state == "failed" or resource.health == "unavailable" else "normal"
        events.note(resource, "StateChanged", _sentence(resource), severity=severity)
    happenings.changed(resource, before)
    if resource.purged_at is not None:
        history.record(resource, resource.purged_at, running=False, present=False)


def _sentence(resource: Resource) -> str:
    if resource.health == "unknown":
        return str(resource.get_state_display())
    condition = conditions.find(resource.conditions, "Ready")
    words = f"{resource.get_state_display()}, {resource.get_health_display().lower()}"
    explain = condition is not None and condition.message and resource.health == "unavailable"
    return f"{words}: {condition.message}" if condition is not None and explain else words
