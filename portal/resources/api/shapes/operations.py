"""An operation as the API shows it (PRODUCT 4.6)."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from portal.accounts.names import account_id
from portal.core import ids
from portal.core.api.shapes import Json, Moment, moment
from portal.resources.actions.cancelling import is_cancellable
from portal.resources.models import Operation


class ChildRef(TypedDict):
    """The part that an operation is about; ``id`` is null once it is gone."""

    id: str | None
    kind: str
    name: str


class StepJson(TypedDict):
    """One step of an operation. ``state``: waiting, running, done or failed."""

    name: str
    state: str
    message: str
    started_at: Moment | None
    finished_at: Moment | None


class ProgressJson(TypedDict):
    """How far an operation is; ``step`` counts from 1."""

    percent: int
    step_name: str
    step: int
    steps: int
    message: str


class OperationJson(TypedDict):
    """Something that was started and can be followed (PRODUCT 4.6)."""

    id: str
    type: str
    service: str
    service_name: str
    project: str
    child: ChildRef | None
    state: str
    progress: ProgressJson
    steps: list[StepJson]
    expected_seconds: int
    timeout_seconds: int
    cancellable: bool
    requested_by: str | None
    quote: Json | None
    created_at: Moment
    finished_at: Moment | None
    error: Json | None


def operation_json(operation: Operation) -> OperationJson:
    """Return an operation; its service with project and its child have to be fetched along."""
    resource = operation.resource
    timeout = operation.deadline_at - operation.created_at
    return {
        "id": operation.public_id,
        "type": operation.type,
        "service": resource.public_id,
        "service_name": resource.name,
        "project": resource.project.public_id,
        "child": _child_ref(operation),
        "state": operation.state,
        "progress": _progress(operation),
        "steps": [_step(step) for step in operation.steps],
        "expected_seconds": operation.expected_seconds,
        "timeout_seconds": round(timeout.total_seconds()),
        "cancellable": is_cancellable(operation),
        "requested_by": account_id(operation.requested_by, by_machine=getattr(operation, "by_machine", None)),
        "quote": operation.quote,
        "created_at": moment(operation.created_at),
        "finished_at": moment(operation.finished_at),
        "error": operation.error,
    }


def _child_ref(operation: Operation) -> ChildRef | None:
    if not operation.child_name:
        return None
    child = operation.child
    if child is None:
        return {"id": None, "kind": operation.lane.partition(":")[0], "name": operation.child_name}
    kind = operation.resource.offering.child(child.kind)
    return {"id": ids.encode(kind.prefix if kind else "child", child.id), "kind": child.kind, "name": child.name}


def _step(step: Mapping[str, Any]) -> StepJson:
    return {
        "name": step["name"],
        "state": step["state"],
        "message": step["message"],
        "started_at": step["started_at"],
        "finished_at": step["finished_at"],
    }


def _progress(operation: Operation) -> ProgressJson:
    """Sum the steps up; a step counts when it is done, and only an end in success is a hundred percent."""
    steps = operation.steps
    done = sum(1 for step in steps if step["state"] == "done")
    current = next((step for step in steps if step["state"] != "done"), steps[-1] if steps else None)
    succeeded = operation.state == Operation.State.SUCCEEDED
    return {
        "percent": 100 if succeeded else min(95, 100 * done // max(1, len(steps))) if steps else 0,
        "step_name": current["name"] if current else operation.state,
        "step": min(done + 1, len(steps)),
        "steps": len(steps),
        "message": operation.message,
    }
