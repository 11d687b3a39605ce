"""Tells webhooks and people what has happened to services; called where the activity list is told."""

import uuid
from typing import Any

from portal.core import ids
from portal.notify import actions as notify
from portal.notify.audience import audience
from portal.resources.models import Operation, Resource, State

BAD = (Operation.State.FAILED, Operation.State.TIMED_OUT)
UPDATED = ("service.edit", "service.update", "service.resize", "service.upgrade", "service.move")
TOLD_OF_FAILURES = "service.create"  # of a scheduled run, which nobody has asked for


def requested(resource: Resource, action: str, changes: dict[str, Any] | None) -> None:
    """Somebody has asked for something."""
    if action == "service.create":
        _emit("service.created", resource, {"plan": resource.plan_slug, "version": resource.release})
    elif action in UPDATED:
        _emit("service.updated", resource, {"changed": sorted(changes or {})})


def changed(resource: Resource, before: tuple[str, str]) -> None:
    """A service has another state or health than ``before``."""
    previous = {"previous_state": before[0], "previous_health": before[1]}
    _emit("service.state_changed", resource, {"health": resource.health, **previous})
    if resource.state != before[0] and resource.state in (State.DELETED, State.PURGED):
        _emit("service.deleted", resource, {"in_bin": resource.state == State.DELETED})


def ended(operation: Operation) -> None:
    """An operation has come to its end; who asked for it is told of a failure."""
    resource, is_backup = operation.resource, operation.type == "backup"
    data = {
        "operation": operation.public_id,
        "operation_type": operation.type,
        "operation_state": operation.state,
        "part": operation.child_name,
        "message": operation.message,
    }
    _emit("operation.finished", resource, data)
    if is_backup and operation.state == Operation.State.SUCCEEDED:
        _emit("backup.finished", resource, data)
    elif is_backup and operation.state in BAD:
        _emit("backup.failed", resource, data)
    if operation.state in BAD:
        _tell(operation, "backup.failed" if is_backup else "operation.failed")


def _tell(operation: Operation, kind: str) -> None:
    resource = operation.resource
    organization = resource.project.organization_id
    asked: list[uuid.UUID] = [operation.requested_by] if operation.requested_by else []
    words = operation.type.replace("_", " ").capitalize()
    notify.tell(
        asked or audience().people(organization, TOLD_OF_FAILURES),
        kind,
        params={"operation": words, "service": resource.name, "message": operation.message},
        link=f"/operations/{operation.public_id}",
        organization_id=organization,
    )


def _emit(type_: str, resource: Resource, data: dict[str, Any]) -> None:
    """Have webhooks told; what a service is called and how it is stands in each body."""
    about = {"name": resource.name, "offering": resource.offering_slug, "state": resource.state, **data}
    notify.emit(
        type_,
        organization_id=resource.project.organization_id,
        project_id=resource.project_id,
        subject=ids.encode("svc", resource.id),
        data=about,
    )
