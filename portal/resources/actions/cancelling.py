"""Cancelling what runs."""

from http import HTTPStatus

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core.actors import Actor
from portal.core.errors import Problem, conflict
from portal.core.offerings import Nature
from portal.projects import access
from portal.resources import tasks
from portal.resources.actions import operations
from portal.resources.actions.children import kind_of
from portal.resources.actions.removal import require_operator, withdraw
from portal.resources.engine import progress
from portal.resources.models import Child, Operation


@transaction.atomic
def cancel_operation(actor: Actor, operation: Operation) -> Operation:
    """Cancel what can be cancelled: an order (the service goes), or a run such as a backup.

    Raises Problem ``not_cancellable`` where going on is the only safe way.
    """
    access.require(actor, operation.resource.project, "service.operate", on=operation.resource.name)
    return _cancel(actor, operation)


@transaction.atomic
def cancel_for_tenant(actor: Actor, operation: Operation, *, reason: str) -> Operation:
    """Cancel a tenant's operation: an operator's act, with a reason that the tenant sees. Raises as above."""
    require_operator(actor, operation.resource, reason)
    operations.note(actor, operation.resource, "service.cancel", operation=operation, reason=reason)
    return _cancel(actor, operation)


def _cancel(actor: Actor, operation: Operation) -> Operation:
    resource = operations.locked(operation.resource)
    operation = Operation.objects.select_for_update(of=("self",)).select_related("child").get(id=operation.id)
    operation.resource = resource
    if not operation.is_open:
        detail = _("This operation has already ended: %(state)s.") % {"state": operation.get_state_display().lower()}
        raise conflict("operation_ended", detail, operation=operation.public_id)
    if operation.type == "create" and resource.ready_once_at is None:
        withdraw(actor, resource)
    elif operation.child is not None and is_run(operation):
        Child.objects.filter(id=operation.child.id).update(cancel_requested=True)
        operations.touch(resource)
        transaction.on_commit(lambda: tasks.enqueue(resource.id))
        operations.note(actor, resource, "service.cancel", operation=operation, child=operation.child)
        return operation
    else:
        raise Problem(
            "not_cancellable",
            HTTPStatus.CONFLICT,
            _("This can't be cancelled half-way. It ends by itself, at the latest at %(time)s UTC.")
            % {"time": f"{operation.deadline_at:%H:%M}"},
            extra={"operation": operation.public_id},
        )
    progress.end(operation, Operation.State.CANCELLED, _("Cancelled on request."), timezone.now())
    return operation


@transaction.atomic
def cancel_child(actor: Actor, child: Child) -> Operation:
    """Stop a run that is on its way."""
    operation = Operation.objects.open().filter(child=child).select_related("resource__project", "child").first()
    if operation is None or "cancel" not in kind_of(child).verbs:
        raise conflict("operation_ended", _("Nothing runs here that could be cancelled."), resource_id=child.public_id)
    return cancel_operation(actor, operation)


def is_run(operation: Operation) -> bool:
    """Whether the operation is a child's run, which can be stopped at any time."""
    if operation.child is None or operation.type.startswith("delete"):
        return False
    kind = operation.resource.offering.child(operation.child.kind)
    return kind is not None and kind.nature is Nature.RUN


def is_cancellable(operation: Operation) -> bool:
    """Whether ``cancel_operation`` would do something."""
    fresh_order = operation.type == "create" and operation.resource.ready_once_at is None
    return operation.is_open and (fresh_order or is_run(operation))
