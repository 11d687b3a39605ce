"""Parts of a service: made, changed, cancelled and taken away as their kind declares."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import specs
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, conflict, invalid, not_found
from portal.core.offerings import ChildKind, Nature, child_key
from portal.projects import access
from portal.resources import queries
from portal.resources.actions import operations
from portal.resources.actions.quotes import customer_fields
from portal.resources.engine import batches
from portal.resources.models import Child, Operation, Resource


@transaction.atomic
def create_child(
    actor: Actor, resource: Resource, kind: ChildKind, *, name: str = "", spec: Mapping[str, Any] | None = None
) -> Operation:
    """Make a part. Raises Problem: 422 naming each wrong field, 409 for a taken name or a stopped service."""
    resource = prepared(actor, resource, kind, "create")
    if refused := queries.backups_refused(resource, kind):
        raise conflict("not_supported", refused, resource_id=resource.public_id)
    name = name or (_generated(kind) if kind.generated_name else "")
    checked, errors = specs.validate(kind.spec, spec or {})
    errors = name_errors(kind, name) + errors
    if errors or checked is None:
        raise invalid(*errors)
    _refuse_taken(resource, kind, name)
    child = Child.objects.create(
        resource=resource,
        kind=kind.slug,
        name=name,
        spec=checked.model_dump(mode="json"),
        generation=_next_generation(resource, kind, 0),
        created_by=actor.id,
    )
    return begin(actor, resource, kind, child, "create")


def _next_generation(resource: Resource, kind: ChildKind, before: int) -> int:
    """Return the number of a child's new wish: its own, or the document's in which it goes to the backend."""
    return batches.ask(resource, kind) if kind.is_batch else before + 1


def begin(actor: Actor, resource: Resource, kind: ChildKind, child: Child, word: str, **options: Any) -> Operation:
    """Open the operation of a child in its lane; a run's is called after what it does ("backup").

    Taking one away is in the child's own lane, so that it never ends what another is doing in a lane that they share.
    """
    operations.touch(resource)
    lane = (word != "delete" and kind.lane) or child_key(kind.slug, child.id)
    is_run = kind.nature is Nature.RUN and word == "create"
    name = kind.slug.removesuffix("s") if is_run else f"{word}_{kind.slug.removesuffix('s')}"
    return operations.begin(
        actor, resource, name, lane=lane, child=child, deadline_seconds=kind.deadline_seconds, **options
    )


def prepared(actor: Actor, resource: Resource, kind: ChildKind, verb: str) -> Resource:
    """Return the locked service; refuse who may not, what the kind does not have, and a service that can't do it."""
    if verb not in kind.verbs:
        raise not_found()
    access.require(actor, resource.project, "service.operate", on=resource.name)
    resource = operations.locked(resource)
    operations.require_living(resource)
    if verb != "delete":
        require_running(resource)
    return resource


def require_running(resource: Resource) -> None:
    """Refuse what only a running engine can do."""
    if not resource.running:
        detail = _("%(name)s is stopped. Start it first.") % {"name": resource.name}
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)


def _generated(kind: ChildKind) -> str:
    return f"{kind.slug.removesuffix('s')}-{timezone.now():%Y%m%d-%H%M%S-%f}"[:60]


def name_errors(kind: ChildKind, name: str) -> list[FieldError]:
    if name in kind.reserved_names:
        detail = _("%(name)s is the engine's own name. Choose another.") % {"name": name}
        return [FieldError("/name", "reserved_name", detail)]
    if re.fullmatch(kind.name_pattern, name):
        return []
    return [FieldError("/name", "invalid_name", _("A name matches %(pattern)s.") % {"pattern": kind.name_pattern})]


def _refuse_taken(resource: Resource, kind: ChildKind, name: str) -> None:
    rows = Child.objects.filter(resource=resource, kind=kind.slug)
    taken = rows.filter(name=name).first()
    if taken is not None:
        busy = taken.deletion_requested_at is not None
        words = (
            _("%(name)s is still being deleted. Try again in a moment.")
            if busy
            else _("There is already one called %(name)s.")
        )
        detail = words % {"name": name}
        raise Problem("name_taken", HTTPStatus.CONFLICT, detail, errors=(FieldError("/name", "name_taken", detail),))
    if rows.count() >= kind.limit:
        detail = _("A service has at most %(limit)d of these. Delete one first.") % {"limit": kind.limit}
        raise Problem(
            "quota_exceeded", HTTPStatus.FORBIDDEN, detail, extra={"resource": kind.slug, "quota": kind.limit}
        )


def kind_of(child: Child) -> ChildKind:
    kind = child.resource.offering.child(child.kind)
    if kind is None:
        raise not_found()
    return kind


@transaction.atomic
def edit_child(actor: Actor, child: Child, *, spec: Mapping[str, Any]) -> Operation | None:
    """Change a part's settings; None where nothing differs."""
    kind = kind_of(child)
    resource = prepared(actor, child.resource, kind, "update")
    child = locked(child, resource)
    before = specs.load(kind.spec, child.spec)
    checked, errors = specs.validate(kind.spec, {**customer_fields(before), **spec})
    errors = errors or (specs.refused_changes(before, _keep_hidden(before, checked)) if checked else [])
    if errors or checked is None:
        raise invalid(*errors)
    after = _keep_hidden(before, checked)
    if after == before:
        return None
    return change(actor, resource, child, after.model_dump(mode="json"), "update")


def _keep_hidden(before: specs.Spec, after: specs.Spec) -> specs.Spec:
    names = [name for name, info in type(before).model_fields.items() if specs.meta_of(info).hidden]
    return after.model_copy(update={name: getattr(before, name) for name in names})


def change(actor: Actor, resource: Resource, child: Child, spec: dict[str, Any], word: str) -> Operation:
    """Save a part's new wish and open its operation."""
    diff = {name: [child.spec.get(name), value] for name, value in spec.items() if child.spec.get(name) != value}
    kind = kind_of(child)
    child.spec, child.state = spec, "pending"
    child.generation = _next_generation(resource, kind, child.generation)
    child.save(update_fields=["spec", "state", "generation"])
    return begin(actor, resource, kind, child, word, changes=diff)


def locked(child: Child, resource: Resource) -> Child:
    """Return the part as it is now, held until the transaction ends. Raises Problem where it is being deleted."""
    fresh = Child.objects.select_for_update().filter(id=child.id).first()
    if fresh is None:
        raise not_found()
    fresh.resource = resource
    if fresh.deletion_requested_at is not None:
        raise conflict(
            "transient_state", _("%(name)s is being deleted.") % {"name": fresh.name}, current_state="deleting"
        )
    return fresh


@transaction.atomic
def delete_child(actor: Actor, child: Child) -> Operation:
    """Take a part away. Raises Problem where its kind protects it (the last owner, say)."""
    kind = kind_of(child)
    resource = prepared(actor, child.resource, kind, "delete")
    child = locked(child, resource)
    reason = kind.protected(specs.load(kind.spec, child.spec)) if kind.protected else ""
    if reason:
        raise conflict("resource_protected", str(reason), resource_id=child.public_id)
    return remove(actor, resource, child)


def remove(actor: Actor, resource: Resource, child: Child) -> Operation:
    """Mark a part for removal and open its operation."""
    kind = kind_of(child)
    child.deletion_requested_at, child.state = timezone.now(), "pending"
    child.generation = _next_generation(resource, kind, child.generation)
    child.save(update_fields=["deletion_requested_at", "state", "generation"])
    for lane in Operation.objects.filter(child=child).open().values_list("lane", flat=True):
        operations.clear_lane(resource, lane, by="delete", supersede=True)
    return begin(actor, resource, kind, child, "delete", supersede=True)


@transaction.atomic
def retry_child(actor: Actor, child: Child) -> Operation:
    """Run a failed or cancelled run once more."""
    kind = kind_of(child)
    resource = prepared(actor, child.resource, kind, "retry")
    child = locked(child, resource)
    if child.state not in ("failed", "cancelled"):
        raise conflict(
            "transient_state", _("Only a failed or cancelled run can be tried again."), current_state=child.state
        )
    child.state, child.cancel_requested, child.finished_at = "pending", False, None
    child.generation += 1
    child.save(update_fields=["state", "cancel_requested", "finished_at", "generation"])
    return begin(actor, resource, kind, child, "retry")
