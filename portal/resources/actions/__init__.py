"""What people do to services: each verb authorised, validated, written with change and audit in one transaction.

Console, API, admin and shell call these and nothing else. All raise ``core.errors.Problem`` and return the Operation.
"""

from portal.resources.actions.cancelling import cancel_child, cancel_for_tenant, cancel_operation, is_cancellable
from portal.resources.actions.checking import OrderRequest
from portal.resources.actions.children import (
    create_child,
    delete_child,
    edit_child,
    retry_child,
)
from portal.resources.actions.credentials import complete_rotation, reveal, rotate_credential
from portal.resources.actions.editing import Edit, edit
from portal.resources.actions.lifecycle import resize, restart, start, stop, upgrade
from portal.resources.actions.many import Wish, change_many
from portal.resources.actions.ordering import order
from portal.resources.actions.quotes import preview_change, quote_change, quote_order
from portal.resources.actions.removal import delete, force_delete, retry_now, undelete
from portal.resources.actions.restoring import fork, restore

__all__ = [
    "Edit",
    "OrderRequest",
    "Wish",
    "cancel_child",
    "cancel_for_tenant",
    "cancel_operation",
    "change_many",
    "complete_rotation",
    "create_child",
    "delete",
    "delete_child",
    "edit",
    "edit_child",
    "force_delete",
    "fork",
    "is_cancellable",
    "order",
    "preview_change",
    "quote_change",
    "quote_order",
    "resize",
    "restart",
    "restore",
    "retry_child",
    "retry_now",
    "reveal",
    "rotate_credential",
    "start",
    "stop",
    "undelete",
    "upgrade",
]
