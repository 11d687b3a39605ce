"""Deleting a service, bringing it back, and the operator's last resort."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.clusters.placement import keeps_backups
from portal.core import registry
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, permission_denied
from portal.projects import access
from portal.resources import admission, links, tasks
from portal.resources.actions import operations, parts
from portal.resources.actions.checking import name_errors, name_taken
from portal.resources.models import Child, DeletionPolicy, Link, Operation, Resource

DELETE_DEADLINE_SECONDS = 1200


@transaction.atomic
def delete(actor: Actor, resource: Resource, *, policy: str = DeletionPolicy.BIN) -> Operation:
    """Delete a service: into the bin after a final backup, or wiped at once. From the bin, only wiping is left.

    Raises Problem: 409 where it is protected, in use by another service, or already on its way.
    """
    access.require(actor, resource.project, "service.delete", on=resource.name)
    if policy not in DeletionPolicy.values:
        detail = _("Choose bin or wipe.")
        raise invalid(FieldError("/deletion_policy", "unknown_policy", detail))
    resource = operations.locked(resource)
    parts.refuse_alone(resource)
    _refuse_second_delete(resource, policy)
    _refuse_protected(resource)
    _refuse_used(resource)
    if policy == DeletionPolicy.BIN:
        _final_backup(resource)
    _request(resource, policy)
    operations.record_change(resource)
    _end_other_lanes(resource)
    return operations.begin(
        actor,
        resource,
        "delete",
        deadline_seconds=DELETE_DEADLINE_SECONDS,
        supersede=True,
        changes={"deletion_policy": [None, policy]},
    )


def _request(resource: Resource, policy: str) -> None:
    resource.deletion_requested_at = resource.deletion_requested_at or timezone.now()
    resource.deletion_policy = policy
    operations.save_wish(resource, "deletion_requested_at", "deletion_policy")


def _refuse_second_delete(resource: Resource, policy: str) -> None:
    on_its_way = resource.deletion_requested_at is not None
    if resource.purged_at is not None or (
        on_its_way and (resource.deletion_policy == policy or policy != DeletionPolicy.WIPE)
    ):
        detail = _("%(name)s is deleted already.") % {"name": resource.name}
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)


def _refuse_protected(resource: Resource) -> None:
    if resource.protected:
        detail = _("%(name)s is protected against deletion. Turn protection off in its settings first.")
        remedy = f'PATCH /api/v1/services/{resource.public_id} {{"protected": false}}'
        raise conflict(
            "resource_protected", detail % {"name": resource.name}, resource_id=resource.public_id, help=remedy
        )


def _refuse_used(resource: Resource) -> None:
    users = Link.objects.filter(target=resource, source__purged_at=None, source__deletion_requested_at=None)
    names = ", ".join(sorted(users.values_list("source__name", flat=True)))
    if names:
        detail = _("%(name)s is used by: %(users)s. Delete or re-link those first.") % {
            "name": resource.name,
            "users": names,
        }
        raise conflict("resource_in_use", detail, resource_id=resource.public_id, used_by=names.split(", "))


def _end_other_lanes(resource: Resource) -> None:
    """What still runs on parts of the service ends with it."""
    lanes = Operation.objects.filter(resource=resource).open().exclude(lane=operations.LIFECYCLE)
    for lane in lanes.values_list("lane", flat=True):
        operations.clear_lane(resource, lane, by="delete", supersede=True)


def _final_backup(resource: Resource) -> None:
    """Ask for a last backup where the offering has them and the service is able to make one."""
    offering = registry.offering(resource.offering_slug)
    kind = offering.child("backups") if offering else None
    if offering is None or kind is None or not resource.is_usable:
        return
    if not keeps_backups(offering, resource.cluster):
        return
    name = f"final-{timezone.now():%Y%m%d-%H%M%S-%f}"
    spec = kind.spec().model_dump(mode="json")
    Child.objects.create(resource=resource, kind=kind.slug, name=name, spec=spec, facts={"final": True})


def withdraw(actor: Actor, resource: Resource) -> None:
    """Take back an order that never came to run: everything goes, nothing is kept."""
    _refuse_used(resource)
    _end_other_lanes(resource)
    _request(resource, DeletionPolicy.WIPE)
    operations.record_change(resource)
    operations.note(actor, resource, "service.withdraw")
    transaction.on_commit(lambda: tasks.enqueue(resource.id))


@transaction.atomic
def undelete(actor: Actor, resource: Resource, *, name: str = "") -> Operation:
    """Bring a service back from the bin, under another name where its own is taken.

    Raises Problem where it is not in the bin, or the name is in use.
    """
    access.require(actor, resource.project, "service.create", on=resource.name)
    resource = operations.locked(resource)
    parts.refuse_alone(resource)
    if not _can_come_back(resource):
        detail = _("%(name)s is not in the bin.") % {"name": resource.name}
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)
    if name and (errors := name_errors(name)):
        raise invalid(*errors)
    _admit_again(actor, resource)
    resource.name = name or resource.name
    resource.deletion_requested_at = resource.deleted_at = resource.purge_after = None
    resource.deletion_policy = ""
    try:
        with transaction.atomic():
            operations.save_wish(
                resource, "name", "deletion_requested_at", "deleted_at", "purge_after", "deletion_policy"
            )
    except IntegrityError as error:
        if "one_living_service_per_name" in str(error):
            raise name_taken(resource.name) from error
        raise
    parts.save(actor, resource, links.targets_of(resource))
    operations.record_change(resource)
    return operations.begin(actor, resource, "undelete", supersede=True)


def _can_come_back(resource: Resource) -> bool:
    """Whether the service is in the bin and nothing has begun to take it away."""
    over = resource.purge_after is not None and resource.purge_after <= timezone.now()
    return resource.in_bin and resource.deletion_policy != DeletionPolicy.WIPE and not over


def _admit_again(actor: Actor, resource: Resource) -> None:
    """Ask as for an order: what is in the bin counts for no limit."""
    admission.admit(
        admission.Request(
            actor, resource.project, resource.offering, resource.plan, resource.cluster, resource.load_spec()
        )
    )


@transaction.atomic
def force_delete(actor: Actor, resource: Resource, *, reason: str) -> Operation:
    """Wipe a service that nothing else helps with: an operator's act, with a reason that the tenant sees."""
    require_operator(actor, resource, reason)
    resource = operations.locked(resource)
    if resource.purged_at is not None:
        _refuse_second_delete(resource, DeletionPolicy.WIPE)
    _request(resource, DeletionPolicy.WIPE)
    operations.record_change(resource)
    _end_other_lanes(resource)
    operation = operations.begin(
        actor,
        resource,
        "delete",
        deadline_seconds=DELETE_DEADLINE_SECONDS,
        supersede=True,
        changes={"forced": [None, True]},
    )
    operations.note(actor, resource, "service.force_delete", operation=operation, reason=reason)
    return operation


@transaction.atomic
def retry_now(actor: Actor, resource: Resource, *, reason: str) -> None:
    """Have the engine look at a service at once, forgetting its back-off: an operator's act."""
    require_operator(actor, resource, reason)
    Resource.objects.filter(id=resource.id).update(failures=0, next_reconcile_at=timezone.now())
    operations.note(actor, resource, "service.retry", reason=reason)
    transaction.on_commit(lambda: tasks.enqueue(resource.id))


def require_operator(actor: Actor, resource: Resource, reason: str) -> None:
    """Raise Problem for anybody but an operator who says why."""
    if not actor.is_operator:
        raise permission_denied("provider.operate", resource.name)
    if not reason.strip():
        raise invalid(FieldError("/reason", "required", _("Say why; the customer will read it.")))
