"""Writes audit rows. Callers do it inside the transaction of the act itself."""

import uuid
from functools import partial
from typing import Any

from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem


def record(
    *,
    actor: Actor,
    action: str,
    target_kind: str,
    target_id: uuid.UUID | None = None,
    target_name: str = "",
    organization_id: uuid.UUID | None = None,
    project_id: uuid.UUID | None = None,
    changes: dict[str, Any] | None = None,
    reason: str = "",
    outcome: str = "done",
) -> AuditEvent:
    """Write one row. ``changes`` holds field names with old and new values, never a secret."""
    return AuditEvent.objects.create(
        actor_kind=actor.kind,
        actor_id=actor.id,
        token_id=actor.token_id,
        action=action,
        target_kind=target_kind,
        target_id=target_id,
        target_name=target_name[:128],
        organization_id=organization_id,
        project_id=project_id,
        changes=changes or {},
        reason=reason[:500],
        outcome=outcome,
        address=actor.address,
        request_id=actor.request_id[:64],
    )


def denied(
    problem: Problem,
    *,
    actor: Actor,
    action: str,
    target_kind: str,
    target_id: uuid.UUID | None = None,
    target_name: str = "",
) -> Problem:
    """Record a denied try and return the problem to raise; whoever answers keeps the record of what was undone."""
    event = record(
        actor=actor,
        action=action,
        target_kind=target_kind,
        target_id=target_id,
        target_name=target_name,
        outcome="denied",
    )
    problem.afterwards = partial(keep, event)
    return problem


def keep(event: AuditEvent) -> None:
    """Write a row again where the transaction that it was written in has been undone."""
    if not AuditEvent.objects.filter(id=event.id).exists():
        event.save(force_insert=True)
