"""Restoring a backup: into a new service, or over the one it came from; and forking."""

import datetime
import uuid
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import F, Value
from django.utils.translation import gettext as _

from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, conflict, invalid
from portal.core.offerings import Nature
from portal.projects import access
from portal.resources.actions import lifecycle, moments, operations
from portal.resources.actions.checking import OrderRequest
from portal.resources.actions.ordering import order
from portal.resources.actions.quotes import customer_fields
from portal.resources.engine import batches
from portal.resources.models import Child, DeletionPolicy, Operation, Resource


@transaction.atomic
def restore(
    actor: Actor,
    resource: Resource,
    *,
    backup: Child | None,
    time: datetime.datetime | None = None,
    target_name: str = "",
    in_place: bool = False,
    plan: str = "",
) -> Operation:
    """Restore a backup, or the service as it was at a ``time``. ``operation.resource`` holds the result.

    Raises Problem where the backup is not ready, the time can't be had, or neither or both of a new name and
    ``in_place`` are given.
    """
    if time is not None:
        return _to_moment(actor, resource, time, "" if in_place else target_name, plan)
    if backup is None:
        raise invalid(FieldError("/backup", "required", _("Say which backup to restore.")))
    if bool(target_name) == in_place:
        raise invalid(FieldError("/target", "required", _("Give a name for a new service, or set in_place to true.")))
    if backup.state != "succeeded":
        detail = _("Backup %(name)s is not complete.") % {"name": backup.name}
        raise invalid(FieldError("/backup", "backup_not_ready", detail))
    if in_place:
        _require_in_place(resource)
        return _over_itself(actor, resource, backup)
    return _into_new(actor, resource, _origin(resource, backup), target_name, plan, backup=backup)


def _to_moment(actor: Actor, resource: Resource, time: datetime.datetime, name: str, plan: str) -> Operation:
    """Order a service that is born from the archive. Raises Problem as ``require_moment`` does, or for no new name."""
    moments.require_moment(resource, time)
    if not name:
        raise invalid(FieldError("/target", "required", _("A moment is restored into a new service: give a name.")))
    moment = time.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    origin = {"handle": resource.handle, "kind": "", "child_id": str(resource.id), "facts": {"time": moment}}
    return _into_new(actor, resource, origin, name, plan)


def _require_in_place(resource: Resource) -> None:
    """Refuse where a backup can only be restored into a new service."""
    if resource.cluster.kind not in resource.offering.restores_in_place:
        detail = _("In this region a backup is restored into a new service. Give a name for it, and move over to it.")
        raise invalid(FieldError("/in_place", "not_supported", detail))


def _origin(resource: Resource, backup: Child, **more: Any) -> dict[str, Any]:
    facts = {**backup.facts, "name": backup.name}
    return {"handle": resource.handle, "kind": backup.kind, "child_id": str(backup.id), "facts": facts, **more}


def _into_new(
    actor: Actor, resource: Resource, origin: dict[str, Any], name: str, plan: str, *, backup: Child | None = None
) -> Operation:
    """Order a service like the old one that takes its first data from a backup of it."""
    access.require(actor, resource.project, "service.create", on=resource.project.slug)
    _refuse_wiped(resource)
    request = OrderRequest(
        name=name,
        offering=resource.offering_slug,
        version=resource.release if resource.offering.version(resource.release) else resource.version,
        plan=plan or resource.plan_slug,
        region=resource.region.slug,
        spec=customer_fields(resource.load_spec()),
        tags=resource.tags,
        ip_allow_list=resource.ip_allow_list,
        acknowledge=("end_of_support",),
    )
    operation = order(actor, project=resource.project, request=request, origin=origin)
    _copy_children(resource, operation.resource)
    changes = {"into": [None, name], **({"time": [None, time]} if (time := origin["facts"].get("time")) else {})}
    operations.note(actor, resource, "service.restored_from", child=backup, changes=changes)
    return operation


def _refuse_wiped(resource: Resource) -> None:
    """Refuse where the backups are being removed with their service."""
    if resource.purged_at is not None or resource.deletion_policy == DeletionPolicy.WIPE:
        detail = _("%(name)s is deleted for good, and its backups with it.") % {"name": resource.name}
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)


def _copy_children(source: Resource, target: Resource) -> None:
    """Give the new service the parts that the backup holds; they get ids and secrets of their own."""
    lasting = [kind.slug for kind in source.offering.children if kind.nature is Nature.DESIRED]
    rows = Child.objects.filter(resource=source, kind__in=lasting, deletion_requested_at=None)
    copies = {str(row.id): Child(resource=target, kind=row.kind, name=row.name, spec=row.spec) for row in rows}
    for kind in source.offering.children:
        if kind.is_batch and any(copy.kind == kind.slug for copy in copies.values()):
            batches.ask(target, kind)
    for copy in copies.values():
        if before := copy.spec.get("predecessor"):
            copy.spec = {**copy.spec, "predecessor": str(copies[before].id) if before in copies else None}
    Child.objects.bulk_create(copies.values())


def _over_itself(actor: Actor, resource: Resource, backup: Child) -> Operation:
    """Put the backup's data in the place of the service's own; its parts are made to match again."""
    resource, verb = lifecycle.prepared(actor, resource, "restore")
    resource.running = True
    marks = {"key": str(uuid.uuid4()), "in_place": True, "generation": resource.generation + 1}
    resource.origin = _origin(resource, backup, **marks)
    operations.save_wish(resource, "origin", "running")
    _ask_again(resource)
    operations.record_change(resource)
    return operations.begin(
        actor,
        resource,
        "restore",
        deadline_seconds=verb.deadline_seconds,
        supersede=True,
        changes={"backup": [None, backup.name]},
    )


def _ask_again(resource: Resource) -> None:
    """Have every lasting part made anew: what was restored may know it or not."""
    for kind in resource.offering.children:
        if kind.nature is Nature.DESIRED:
            rows = Child.objects.filter(resource=resource, deletion_requested_at=None, kind=kind.slug)
            generation = Value(batches.ask(resource, kind)) if kind.is_batch else F("generation") + 1
            rows.update(generation=generation, state="pending")


@transaction.atomic
def fork(actor: Actor, resource: Resource, *, name: str) -> Operation:
    """Make a copy from the newest complete backup. Raises Problem where there is none."""
    lifecycle.prepared(actor, resource, "fork")
    newest = Child.objects.filter(resource=resource, kind="backups", state="succeeded").order_by("-finished_at").first()
    if newest is None:
        detail = _("%(name)s has no backup yet. Make one first; a fork is made from the newest.") % {
            "name": resource.name
        }
        raise Problem("backup_missing", HTTPStatus.CONFLICT, detail, extra={"resource_id": resource.public_id})
    return restore(actor, resource, backup=newest, target_name=name)
