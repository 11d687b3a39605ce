"""Beginning and superseding operations; what every verb shares."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit.actions import record
from portal.core import conditions, registry
from portal.core.actors import Actor
from portal.core.errors import Problem, conflict
from portal.resources import events, happenings, history, quotas, tasks
from portal.resources.engine import progress
from portal.resources.models import Child, Operation, Resource
from portal.resources.states import refresh

LIFECYCLE = "lifecycle"


@dataclass(frozen=True, slots=True)
class Many:
    """What an operation on many parts of one batch kind is about: the document that has to come into force."""

    kind: str
    revision: int


def locked(resource: Resource) -> Resource:
    """Return the row as it is now, held until the transaction ends.

    Locks are taken in one order everywhere: services, then the organization, then the project, then parts and
    operations. They leave the key alone, so that rows that only refer to a service or project wait for nobody.
    """
    return (
        Resource.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project__organization", "region", "cluster")
        .get(id=resource.id)
    )


def require_living(resource: Resource) -> None:
    """Refuse what makes no sense on a service that is being deleted or gone."""
    if resource.deletion_requested_at is not None:
        detail = _("%(name)s is deleted or on its way there. Bring it back from the bin first.") % {
            "name": resource.name
        }
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)


def begin(
    actor: Actor,
    resource: Resource,
    kind: str,
    *,
    lane: str = LIFECYCLE,
    child: Child | None = None,
    many: Many | None = None,
    deadline_seconds: int = 300,
    expected_seconds: int = 20,
    supersede: bool = False,
    quote: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
) -> Operation:
    """Open an operation in its lane, with audit row and event, and ask for a turn when the transaction commits.

    Raises Problem ``operation_in_progress`` where the lane, or one that conflicts with it, is taken.
    """
    clear_lane(resource, lane, by=kind, supersede=supersede)
    now = timezone.now()
    operation = Operation.objects.create(
        resource=resource,
        child=child,
        child_name=child.name if child else "",
        child_kind=child.kind if child else many.kind if many else "",
        type=kind,
        lane=lane,
        generation=child.generation if child else many.revision if many else resource.generation,
        deadline_at=now + datetime.timedelta(seconds=deadline_seconds),
        expected_seconds=expected_seconds,
        requested_by=actor.id,
        quote=quote,
    )
    note(actor, resource, f"service.{kind}", operation=operation, child=child, changes=changes)
    transaction.on_commit(lambda: tasks.enqueue(resource.id))
    return operation


def note(
    actor: Actor,
    resource: Resource,
    action: str,
    *,
    operation: Operation | None = None,
    child: Child | None = None,
    changes: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write the audit row and the line in the service's activity."""
    record(
        actor=actor,
        action=action,
        target_kind=child.kind if child else "service",
        target_id=child.id if child else resource.id,
        target_name=f"{resource.name}/{child.name}" if child else resource.name,
        organization_id=resource.project.organization_id,
        project_id=resource.project_id,
        changes=changes,
        reason=reason,
    )
    words = action.removeprefix("service.").replace("_", " ").capitalize()
    subject = f" {child.name}" if child else ""
    explain = f" ({reason})" if reason else ""
    events.note(resource, "Requested", f"{words}{subject} requested{explain}", operation=operation, actor_id=actor.id)
    happenings.requested(resource, action, changes)


def clear_lane(resource: Resource, lane: str, *, by: str, supersede: bool) -> None:
    """Make sure that nothing else runs in the lane: refuse, or end what runs as superseded."""
    offering = registry.offering(resource.offering_slug)  # one that left the code must not keep its services alive
    conflicting = [lane, *(offering.conflicts.get(lane, ()) if offering else ())]
    for running in Operation.objects.filter(resource=resource, lane__in=conflicting).open():
        if not supersede:
            raise in_progress(running)
        message = _("Superseded by %(type)s.") % {"type": by}
        progress.end(running, Operation.State.CANCELLED, message, timezone.now())


def in_progress(running: Operation) -> Problem:
    """Return the 409 that names what is in the way."""
    detail = _("%(name)s is busy: %(type)s began at %(time)s UTC. Wait for it to end, or cancel it.") % {
        "name": running.resource.name,
        "type": running.type.replace("_", " "),
        "time": f"{running.created_at:%H:%M}",
    }
    return conflict(
        "operation_in_progress",
        detail,
        resource_id=running.resource.public_id,
        current_state=running.resource.state,
        operation=running.public_id,
    )


def may_supersede(resource: Resource) -> bool:
    """Whether a repair may push aside what is running: the service is not well, so waiting would not help."""
    return resource.ready_once_at is not None and not conditions.is_true(resource.conditions, "Ready")


def save_wish(resource: Resource, *fields: str, generation: bool = True) -> None:
    """Save what is asked of a service; a new generation makes it due at once."""
    now = timezone.now()
    resource.revision += 1
    names = {*fields, "revision", "updated_at", "state", "health"}
    if generation:
        resource.generation += 1
        resource.next_reconcile_at, resource.failures = now, 0
        names |= {"generation", "next_reconcile_at", "failures"}
    if names & {"plan_slug", "spec"}:
        quotas.measure(resource)
        names |= set(quotas.COLUMNS)
    refresh(resource)
    resource.save(update_fields=sorted(names))


def touch(resource: Resource) -> None:
    """Make a service due now because one of its parts has changed."""
    Resource.objects.filter(id=resource.id).update(next_reconcile_at=timezone.now())


def record_change(resource: Resource) -> None:
    """Write the line of history that billing reads, for what it brings along as well."""
    _record(resource, timezone.now(), running=resource.running and resource.deletion_requested_at is None)


def _record(resource: Resource, at: datetime.datetime, *, running: bool) -> None:
    """Write a line; a part runs on until its owner needs it no more, but is billed no longer than that one."""
    history.record(resource, at, running=running)
    if resource.may_have_parts:
        for part in Resource.objects.filter(owner=resource, purged_at=None, deletion_requested_at=None):
            _record(part, at, running=running)
