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
from portal.resources.engine import batches, bookkeeping, claim, deletion, latency, parts, progress, view
from portal.resources.models import Child, Resource
from portal.resources.states import refresh

logger = logging.getLogger(__name__)
SOON = datetime.timedelta(seconds=2)
LATER = datetime.timedelta(minutes=1)
LONGEST_PAUSE = datetime.timedelta(minutes=5)


@dataclass(slots=True)
class Turn:
    """What one turn has found out, before it is written."""

    resource: Resource
    children: list[Child]
    observation: Observation | None = None
    left: tuple[str, ...] | None = None  # of a service that is being taken away: what is still there
    synced: Condition = field(default_factory=lambda: Condition("Synced", Status.TRUE, "Applied"))
    due_in: datetime.timedelta | None = SOON
    running: bool | None = None  # what was asked of the backend, where it was asked
    failed: bool = False


def reconcile(resource_id: uuid.UUID, *, only_due: bool = False) -> bool:
    """Bring one service nearer to what is asked. Return True where another turn should follow at once."""
    with latency.measured():
        return _reconcile(resource_id, only_due)


def _reconcile(resource_id: uuid.UUID, only_due: bool) -> bool:
    held = claim.take(resource_id, only_due=only_due)
    if held is None:
        return False
    turn = Turn(held.resource, list(held.resource.children.single()))
    try:
        _work(turn, held.at)
    except TemporaryError as error:
        _fail(turn, error.reason, str(error), pause(held.resource.failures))
    except PermanentError as error:
        _fail(turn, "Refused", str(error), LONGEST_PAUSE if held.resource.deletion_requested_at else None)
    except Exception:
        logger.exception("turn of service %s broke", held.resource.handle)
        _break(turn)
    return _finish_whatever(held, turn)


def pause(failures: int) -> datetime.timedelta:
    """Return how long to wait after so many failures in a row: doubling from one second to five minutes."""
    return min(datetime.timedelta(seconds=2 ** min(failures, 10)), LONGEST_PAUSE)


def _work(turn: Turn, now: datetime.datetime) -> None:
    resource = turn.resource
    backend = backend_of(resource.cluster)
    if deletion.wants_nothing(resource, now):
        turn.left = deletion.purge(resource, backend)
        return
    turn.running = deletion.wants_running(resource, turn.children)
    seen = view.build(resource, turn.children, running=turn.running)
    turn.observation = _drive(resource, seen, backend)
    turn.due_in = _due(turn.observation, backend)


def _drive(resource: Resource, seen: View, backend: Backend) -> Observation:
    """Render, apply, read and observe."""
    driver = resource.offering.drivers[resource.cluster.kind]
    rendered = driver.render(seen)
    backend.prepare(resource.handle, view.tenancy(resource))
    backend.ensure_secrets(resource.handle, secrets_of(rendered))
    batches.send(resource, seen, backend)
    backend.apply(Wanted(resource.handle, resource.fence, resource.generation, rendered))
    return driver.observe(seen, backend.read(resource.handle))


def secrets_of(rendered: Any) -> tuple[GeneratedSecret, ...]:
    """Return the generated secrets of what a driver rendered: of a unit, or among manifests."""
    if isinstance(rendered, Unit):
        return rendered.secrets
    return tuple(item for item in rendered if isinstance(item, GeneratedSecret))


def _due(observation: Observation, backend: Backend) -> datetime.timedelta | None:
    if observation.due_in is not None:
        return observation.due_in
    return None if observation.settled else backend.patience()


def _fail(turn: Turn, reason: str, message: str, due_in: datetime.timedelta | None) -> None:
    turn.synced = Condition("Synced", Status.FALSE, reason, message)
    turn.due_in, turn.failed = due_in, True


def _break(turn: Turn) -> None:
    _fail(turn, "InternalError", "Something broke on our side; we try again.", pause(turn.resource.failures))


def _finish_whatever(held: claim.Claim, turn: Turn) -> bool:
    """Write what the turn found; where that can't be written, at least that it broke, with its back-off."""
    try:
        return _finish(held, turn)
    except Exception:
        logger.exception("what was found of service %s can't be written", held.resource.handle)
        broken = Turn(held.resource, [])
        _break(broken)
        return _finish(held, broken)


def _finish(held: claim.Claim, turn: Turn) -> bool:
    """Write everything that the turn found in one transaction, if the claim still holds."""
    now = timezone.now()
    with transaction.atomic():
        resource = claim.hold(held)
        if resource is None:
            return False
        before, shown = (resource.state, resource.health), _as_users_see(resource)
        fields = lay_over(turn, resource, now)
        gone = bookkeeping.children(resource, turn.children, turn.observation, now)
        batches.settle(resource, turn.observation, now)
        rows = {child.id: child for child in turn.children}
        seen = progress.Seen(resource, turn.resource.generation, rows, gone, turn.observation, now)
        still_open = bookkeeping.operations(seen)
        due_in = _next(turn, resource, waited_for=bool(still_open or gone))  # what is gone is not to be asked for
        due = None if due_in is None else now + due_in
        moved = claim.write(held, resource, fields, due=bookkeeping.earliest(due, resource, still_open, now))
        bookkeeping.note_change(resource, before)
        parts.follow(resource, now)
        if _as_users_see(resource) != shown:
            transaction.on_commit(lambda: claim.wake_users(resource))  # with no lock held: they may use each other
    return moved and not turn.failed


def _as_users_see(resource: Resource) -> tuple[bool, Any]:
    """Return what the services that use this one depend on."""
    return resource.is_usable, resource.facts.get("endpoints") or []


def _next(turn: Turn, resource: Resource, *, waited_for: bool) -> datetime.timedelta | None:
    """Return when to look again: at once where the turn itself has changed what is to be asked of the backend."""
    if turn.failed:
        return turn.due_in
    if turn.running is not None and turn.running != deletion.wants_running(resource, turn.children):
        return datetime.timedelta(0)
    if turn.due_in is not None:
        return turn.due_in
    if deletion.unfinished(resource):
        return SOON
    if resource.deleted_at is not None or not _parts_unfinished(turn, resource):
        return None
    return SOON if turn.running or waited_for else LATER


def _parts_unfinished(turn: Turn, resource: Resource) -> bool:
    """Whether some child is still on its way, alone or in its kind's document."""
    late = turn.observation is not None and not batches.in_force(resource, turn.observation)
    return late or bookkeeping.unfinished(turn.children)


def lay_over(turn: Turn, resource: Resource, now: datetime.datetime) -> dict[str, object]:
    """Lay what was seen over the row as it is now; return the fields that the conditional write sets."""
    resource.conditions = conditions.merge(
        resource.conditions, _seen(turn, resource), generation=turn.resource.generation, now=now
    )
    resource.failures = turn.resource.failures + 1 if turn.failed else 0
    if turn.observation is not None:
        _lay_over_observation(turn, turn.observation, resource, now)
    elif turn.left == ():
        deletion.bury(resource, now)
    refresh(resource)
    names = (
        "conditions", "failures", "facts", "observed_generation", "ready_once_at", "state", "health",
        "deleted_at", "purge_after", "purged_at",
    )  # fmt: skip
    return {name: getattr(resource, name) for name in names}


def _seen(turn: Turn, resource: Resource) -> list[Condition]:
    """Return the conditions that this turn has to tell, the first of each type."""
    if turn.observation is not None:
        found = turn.observation.conditions
    else:
        found = conditions.load(resource.conditions) if turn.left is None else (deletion.removing(turn.left),)
    return list({condition.type: condition for condition in reversed([turn.synced, *found])}.values())


def _lay_over_observation(turn: Turn, observation: Observation, resource: Resource, now: datetime.datetime) -> None:
    endpoints = [endpoint.as_json() for endpoint in observation.endpoints]
    resource.facts = bookkeeping.capped({**observation.facts, "endpoints": endpoints})
    if observation.settled:
        resource.observed_generation = turn.resource.generation
    if conditions.is_true(resource.conditions, "Ready"):
        resource.ready_once_at = resource.ready_once_at or now
    if turn.resource.deletion_requested_at is not None:
        deletion.advance(resource, observation)
