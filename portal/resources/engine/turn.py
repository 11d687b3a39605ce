"""One turn of the engine for one service."""

import datetime
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from portal.clusters.backends.base import Backend, Wanted
from portal.clusters.registry import backend_of
from portal.core import conditions
from portal.core.conditions import Condition, Status
from portal.core.drivers import GeneratedSecret, Observation, Unit, View
from portal.core.errors import PermanentError, TemporaryError
from portal.resources.engine import bookkeeping, claim, deletion, latency, view
from portal.resources.models import Child, Resource
from portal.resources.states import refresh

logger = logging.getLogger(__name__)
SOON = datetime.timedelta(seconds=2)
LONGEST_PAUSE = datetime.timedelta(minutes=5)


@dataclass(slots=True)
class Turn:
    """What one turn has found out, before it is written."""

    resource: Resource
    children: list[Child]
    observation: Observation | None = None
    synced: Condition = field(default_factory=lambda: Condition("Synced", Status.TRUE, "Applied"))
    due_in: datetime.timedelta | None = SOON
    running: bool | None = None  # what was asked of the backend, where it was asked
    failed: bool = False


def reconcile(resource_id: uuid.UUID) -> bool:
    """Bring one service nearer to what is asked. Return True where another turn should follow at once."""
    with latency.measured():
        return _reconcile(resource_id)


def _reconcile(resource_id: uuid.UUID) -> bool:
    held = claim.take(resource_id)
    if held is None:
        return False
    turn = Turn(held.resource, list(held.resource.children.all()))
    try:
        _work(turn)
    except TemporaryError as error:
        _fail(turn, "Retrying", str(error), pause(held.resource.failures))
    except PermanentError as error:
        _fail(turn, "Refused", str(error), None)
    except Exception:
        logger.exception("turn of service %s broke", held.resource.handle)
        _fail(turn, "InternalError", "Something broke on our side; we try again.", pause(held.resource.failures))
    return _finish(held, turn)


def pause(failures: int) -> datetime.timedelta:
    """Return how long to wait after so many failures in a row: doubling from one second to five minutes."""
    return min(datetime.timedelta(seconds=2 ** min(failures, 10)), LONGEST_PAUSE)


def _work(turn: Turn) -> None:
    resource = turn.resource
    backend = backend_of(resource.cluster)
    if deletion.wants_nothing(resource):
        turn.due_in = deletion.purge(resource, backend)
        return
    turn.running = deletion.wants_running(resource, turn.children)
    seen = view.build(resource, turn.children, running=turn.running)
    turn.observation = _drive(resource, seen, backend)
    turn.due_in = _due(turn.observation)
    deletion.advance(resource, turn.observation)


def _drive(resource: Resource, seen: View, backend: Backend) -> Observation:
    """Render, apply, read and observe."""
    driver = resource.offering.drivers[resource.cluster.kind]
    rendered = driver.render(seen)
    backend.ensure_secrets(resource.handle, secrets_of(rendered))
    backend.apply(Wanted(resource.handle, resource.fence, resource.generation, rendered))
    return driver.observe(seen, backend.read(resource.handle))


def secrets_of(rendered: Any) -> tuple[GeneratedSecret, ...]:
    """Return the generated secrets of what a driver rendered: of a unit, or among manifests."""
    if isinstance(rendered, Unit):
        return rendered.secrets
    return tuple(item for item in rendered if isinstance(item, GeneratedSecret))


def _due(observation: Observation) -> datetime.timedelta | None:
    if observation.due_in is not None:
        return observation.due_in
    return None if observation.settled else SOON


def _fail(turn: Turn, reason: str, message: str, due_in: datetime.timedelta | None) -> None:
    turn.synced = Condition("Synced", Status.FALSE, reason, message[:500])
    turn.due_in, turn.failed = due_in, True


def _finish(held: claim.Claim, turn: Turn) -> bool:
    """Write everything that the turn found in one transaction, if the claim still holds."""
    now = timezone.now()
    with transaction.atomic():
        before = (turn.resource.state, turn.resource.health)
        fields = _lay_over(turn, now)
        ended = bookkeeping.children(turn.resource, turn.children, turn.observation, now)
        due_in = _next(turn)
        due = None if due_in is None else now + due_in
        due = bookkeeping.earliest(due, turn.resource)
        if not claim.write(held, fields, due=due):
            transaction.set_rollback(True)
            return False
        bookkeeping.operations(turn.resource, turn.children, turn.observation, ended, now)
        bookkeeping.note_change(turn.resource, before)
    moved = Resource.objects.filter(id=turn.resource.id, next_reconcile_at__lte=timezone.now()).exists()
    return moved and not turn.failed


def _next(turn: Turn) -> datetime.timedelta | None:
    """Return when to look again: at once where the turn itself has changed what is to be asked of the backend."""
    if turn.failed:
        return turn.due_in
    if turn.running is not None and turn.running != deletion.wants_running(turn.resource, turn.children):
        return datetime.timedelta(0)
    unfinished = bookkeeping.unfinished(turn.children) or deletion.unfinished(turn.resource)
    return SOON if turn.due_in is None and unfinished else turn.due_in


def _lay_over(turn: Turn, now: datetime.datetime) -> dict[str, object]:
    """Lay what was seen over the row; return the fields that the conditional write sets."""
    resource, observation = turn.resource, turn.observation
    seen = [turn.synced, *(observation.conditions if observation else conditions.load(resource.conditions))]
    unique = {condition.type: condition for condition in reversed(seen)}
    resource.conditions = conditions.merge(
        resource.conditions, unique.values(), generation=resource.generation, now=now
    )
    resource.failures = resource.failures + 1 if turn.failed else 0
    if observation is not None:
        endpoints = [endpoint.as_json() for endpoint in observation.endpoints]
        resource.facts = {**observation.facts, "endpoints": endpoints}
        if observation.settled:
            resource.observed_generation = resource.generation
        if conditions.is_true(resource.conditions, "Ready"):
            resource.ready_once_at = resource.ready_once_at or now
    refresh(resource)
    names = (
        "conditions", "failures", "facts", "observed_generation", "ready_once_at", "state", "health",
        "deleted_at", "purge_after", "purged_at",
    )  # fmt: skip
    return {name: getattr(resource, name) for name in names}
