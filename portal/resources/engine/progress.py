"""Operations on their way: their steps, and when each type has come to its end."""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from portal.core import conditions
from portal.core.conditions import Status
from portal.core.drivers import Observation, UnitStep
from portal.resources import events, happenings
from portal.resources.engine import batches
from portal.resources.models import Child, DeletionPolicy, Operation, Resource

Step = dict[str, Any]
Verdict = tuple[str, str]  # (new state or "", message)
GOING_ON: Verdict = ("", "")


@dataclass(frozen=True, slots=True)
class Seen:
    """What operations are judged by: the row as it is now, and what this turn looked at, asked at ``generation``."""

    resource: Resource
    generation: int
    children: Mapping[uuid.UUID, Child]
    gone: frozenset[uuid.UUID]
    observation: Observation | None
    now: datetime.datetime

    def child(self, operation: Operation) -> Child | None:
        return self.children.get(operation.child_id) if operation.child_id else None


def advance(operation: Operation, seen: Seen) -> None:
    """Move one open operation on; end it where the time has come."""
    before = (operation.state, operation.steps, operation.message)
    state, message = _judge(operation, seen)
    current = _current_message(seen.resource, seen.child(operation))
    if not state and operation.deadline_at <= seen.now:
        state, message = Operation.State.TIMED_OUT, _too_late(current)
    operation.state = state or Operation.State.RUNNING
    operation.message = message or current
    operation.steps = _steps(operation, seen.observation, seen.now)
    if state:
        end(operation, state, operation.message, seen.now)
    elif (operation.state, operation.steps, operation.message) != before:
        operation.save(update_fields=["state", "steps", "message"])


def end(operation: Operation, state: str, message: str, now: datetime.datetime) -> None:
    """Close an operation, tell the activity list, and wake who waits for it."""
    operation.state, operation.message, operation.finished_at = state, message[:500], now
    if state in (Operation.State.FAILED, Operation.State.TIMED_OUT):
        operation.error = _problem(operation, state, message)
    operation.save(update_fields=["state", "steps", "message", "error", "finished_at"])
    severity = "normal" if state == Operation.State.SUCCEEDED else "warning"
    words = f"{operation.type.replace('_', ' ').capitalize()} {operation.child_name}".strip()
    sentence = f"{words} {operation.get_state_display().lower()}" + (f": {message}" if severity == "warning" else "")
    events.note(operation.resource, "OperationEnded", sentence, operation=operation, severity=severity)
    happenings.ended(operation)
    announce(operation)


def _problem(operation: Operation, state: str, message: str) -> dict[str, object]:
    code = "operation_failed" if state == Operation.State.FAILED else "operation_timed_out"
    return {
        "type": "about:blank",
        "title": operation.get_state_display(),
        "status": 500 if state == Operation.State.FAILED else 504,
        "code": code,
        "detail": message,
        "instance_usable": operation.resource.is_usable,
        "repeatable": True,
        "retryable": True,
    }


def _judge(operation: Operation, seen: Seen) -> Verdict:
    """Judge an operation by what this turn has seen; nothing outlives the service."""
    if seen.resource.purged_at is not None:
        return _with_its_subject(operation, "The service was deleted meanwhile.")
    if operation.child_name:
        return _child_verdict(operation, seen)
    return _batch_verdict(operation, seen) if operation.child_kind else _verdict(operation, seen)


def _with_its_subject(operation: Operation, otherwise: str) -> Verdict:
    """Judge an operation whose service or part is gone."""
    if operation.type.startswith("delete"):
        return Operation.State.SUCCEEDED, ""
    return Operation.State.CANCELLED, otherwise


def _verdict(operation: Operation, seen: Seen) -> Verdict:
    """Judge an operation on the whole service."""
    resource = seen.resource
    if operation.type == "delete":
        in_bin = resource.deleted_at is not None and resource.deletion_policy == DeletionPolicy.BIN
        return (Operation.State.SUCCEEDED, "") if in_bin else GOING_ON
    if seen.generation < operation.generation:
        return GOING_ON  # asked after this turn had begun
    if operation.type == "restore" and (failure := _failed_restore(resource)):
        return Operation.State.FAILED, failure
    if resource.observed_generation < operation.generation:
        return _refusal(operation, resource)
    if operation.type == "stop":
        return (Operation.State.SUCCEEDED, "") if _is(resource, "Stopped") else GOING_ON
    if _is(resource, "Ready") or not resource.running:
        return Operation.State.SUCCEEDED, ""
    return _refusal(operation, resource)


def _failed_restore(resource: Resource) -> str:
    """Return why the restore over the service failed, from what its driver has noted (``Origin``); empty: it did not.

    The note stays: a turn that saw the failure first may have been lost, and the old data serves again since.
    """
    key = (resource.origin or {}).get("key")
    if key is None or resource.facts.get("restore_failed") != key:
        return ""
    told = conditions.find(resource.conditions, "RestoreFailed")
    return told.message if told else "The backup could not be restored."


def _refusal(operation: Operation, resource: Resource) -> Verdict:
    """Return a failure where nothing will change by itself.

    What a backend shows in the turn that asks first is what was there before: only the next look tells.
    """
    stalled = conditions.find(resource.conditions, "Stalled")
    if operation.state != Operation.State.QUEUED and stalled and stalled.status is Status.TRUE:
        return Operation.State.FAILED, stalled.message
    synced = conditions.find(resource.conditions, "Synced")
    if synced and synced.reason == "Refused":
        return Operation.State.FAILED, synced.message
    return GOING_ON


def _child_verdict(operation: Operation, seen: Seen) -> Verdict:
    """Judge an operation on one part."""
    if operation.child_id is None or operation.child_id in seen.gone:
        return _with_its_subject(operation, "It was deleted meanwhile.")
    child = seen.child(operation)
    if child is not None and child.state == "gone":
        return _with_its_subject(operation, "It was deleted meanwhile.")
    if child is None or child.observed_generation < operation.generation or operation.type.startswith("delete"):
        return GOING_ON
    if child.state in ("ready", "succeeded"):
        return Operation.State.SUCCEEDED, ""
    condition = conditions.find(child.conditions, "Ready")
    verdicts = {"failed": Operation.State.FAILED, "cancelled": Operation.State.CANCELLED}
    message = condition.message if condition else ""
    return (verdicts[child.state], message) if child.state in verdicts else GOING_ON


def _batch_verdict(operation: Operation, seen: Seen) -> Verdict:
    """Judge a change of many parts of one kind."""
    found = seen.observation.batches.get(operation.child_kind) if seen.observation else None
    if found is None or found.revision < operation.generation:
        return _refusal(operation, seen.resource)
    refused = batches.refused_of(operation)
    if refused:
        return Operation.State.FAILED, f"{refused} of them were refused; each says why."
    return Operation.State.SUCCEEDED, ""


def _is(resource: Resource, kind: str) -> bool:
    return conditions.is_true(resource.conditions, kind)


def _current_message(resource: Resource, child: Child | None) -> str:
    """Say what is being waited for."""
    source = child.conditions if child is not None else resource.conditions
    condition = conditions.find(source, "Ready")
    synced = conditions.find(resource.conditions, "Synced")
    if synced and synced.status is Status.FALSE:
        return synced.message
    return condition.message if condition and condition.status is not Status.TRUE else ""


def _too_late(current: str) -> str:
    waiting = current or "The service has not reported back."
    return f"It takes longer than it should; the platform goes on trying. Last seen: {waiting}"


def _steps(operation: Operation, observation: Observation | None, now: datetime.datetime) -> list[Step]:
    """Return the steps for the customer: those of the backend since this operation began, with times."""
    accepted: Step = {
        "name": "accepted",
        "state": "done",
        "message": "",
        **_times(operation.created_at, operation.created_at),
    }
    if observation is None:
        return list(operation.steps) or [accepted]
    own = [] if operation.child_name else [s for s in observation.steps if _belongs(s, operation)]
    steps = [accepted, *(_step(step) for step in own)]
    if operation.state in Operation.OPEN:
        return steps
    last = "done" if operation.state == Operation.State.SUCCEEDED else "failed"
    return [*steps, {"name": operation.state, "state": last, "message": operation.message, **_times(now, now)}]


def _belongs(step: UnitStep, operation: Operation) -> bool:
    end_of_step = step.finished_at or step.started_at
    return end_of_step is None or end_of_step >= operation.created_at - datetime.timedelta(seconds=1)


def _step(step: UnitStep) -> Step:
    state = "waiting" if step.started_at is None else "running" if step.finished_at is None else "done"
    return {
        "name": step.name,
        "state": state,
        "message": conditions.clean(step.message),
        **_times(step.started_at, step.finished_at),
    }


def _times(started: datetime.datetime | None, finished: datetime.datetime | None) -> dict[str, str | None]:
    return {
        "started_at": started.isoformat(timespec="milliseconds") if started else None,
        "finished_at": finished.isoformat(timespec="milliseconds") if finished else None,
    }


def announce(operation: Operation) -> None:
    """Wake those who wait for an operation (``queries.wait_for_operation``); sent when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('operation', %s)", [str(operation.id)])
