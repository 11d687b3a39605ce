"""Writes the activity list: what happened to a service, in words for its customer."""

import uuid

from portal.resources.models import Event, Operation, Resource


def note(
    resource: Resource,
    reason: str,
    message: str,
    *,
    operation: Operation | None = None,
    severity: str = "normal",
    actor_id: uuid.UUID | None = None,
) -> None:
    """Add a line. ``reason`` is CamelCase; ``message`` holds no secret."""
    Event.objects.create(
        resource=resource,
        project_id=resource.project_id,
        operation=operation,
        reason=reason,
        message=message[:500],
        severity=severity,
        actor_id=actor_id,
    )
