"""Logins of a service: shown once per click, and exchanged without downtime by a successor beside the old one."""

import re
from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from portal.clusters import reads
from portal.core.actors import Actor
from portal.core.errors import conflict
from portal.projects import access
from portal.resources.actions import children, operations
from portal.resources.engine import view
from portal.resources.models import Child, Operation


def reveal(actor: Actor, child: Child) -> Mapping[str, object]:
    """Return user name, password, URI and CA certificate of a login. Audited; raises Problem where it has none yet."""
    resource = child.resource
    access.require(actor, resource.project, "service.secrets", on=resource.name)
    if not resource.facts.get("endpoints") or resource.deletion_requested_at is not None:
        detail = _("%(name)s has no address yet. Wait until it runs.") % {"name": resource.name}
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)
    with transaction.atomic():
        operations.note(actor, resource, "service.reveal", child=child)
    seen = view.build(resource, list(resource.children.single()), running=resource.running)
    connections = resource.offering.drivers[resource.cluster.kind].connect(seen)
    connection = next((c for c in connections if c.child_id == child.id), None)
    if connection is None:
        raise conflict("transient_state", _("This login is not ready yet."), resource_id=child.public_id)
    return reads.reveal(resource.cluster, resource.handle, connection)


@transaction.atomic
def rotate_credential(actor: Actor, child: Child) -> Operation:
    """Make a successor with the same rights; both work until ``complete_rotation``.

    Raises Problem where a successor is there already.
    """
    kind = children.kind_of(child)
    access.require(actor, child.resource.project, "service.secrets", on=child.resource.name)
    resource = operations.locked(child.resource)
    operations.require_living(resource)
    children.require_running(resource)
    child = children.locked(child, resource)
    logins = list(Child.objects.filter(resource=resource, kind=kind.slug))
    waiting = next((other for other in logins if other.spec.get("predecessor") == str(child.id)), None)
    if waiting is not None:
        detail = _("%(name)s is being exchanged for %(new)s already. Complete that first.") % {
            "name": child.name,
            "new": waiting.name,
        }
        raise conflict("rotation_in_progress", detail, resource_id=waiting.public_id)
    spec = {**child.spec, "predecessor": str(child.id), "main": False}
    name = next_name(child.name, {other.name for other in logins})
    successor = Child.objects.create(resource=resource, kind=kind.slug, name=name, spec=spec, created_by=actor.id)
    return children.begin(actor, resource, kind, successor, "rotate")


def next_name(name: str, taken: set[str]) -> str:
    """Return the successor's name: ``admin``, ``admin-2``, ``admin-3`` …"""
    base = re.sub(r"-\d+$", "", name)[:58]
    number = next(n for n in range(2, len(taken) + 3) if f"{base}-{n}" not in taken)
    return f"{base}-{number}"


@transaction.atomic
def complete_rotation(actor: Actor, child: Child) -> Operation:
    """Revoke the old login. ``child`` is either of the two. Raises Problem where nothing is being exchanged."""
    kind = children.kind_of(child)
    access.require(actor, child.resource.project, "service.secrets", on=child.resource.name)
    resource = operations.locked(child.resource)
    operations.require_living(resource)
    rows = {str(row.id): row for row in Child.objects.select_for_update().filter(resource=resource, kind=kind.slug)}
    successor = next(
        (row for row in rows.values() if row.spec.get("predecessor") == str(child.id)), rows.get(str(child.id))
    )
    old = rows.get(successor.spec.get("predecessor") or "") if successor else None
    if successor is None or old is None or successor.state != "ready":
        detail = _("There is no finished exchange here. Rotate the credential first.")
        raise conflict("rotation_not_ready", detail, resource_id=child.public_id)
    successor.spec = {**successor.spec, "predecessor": None, "main": bool(old.spec.get("main"))}
    successor.save(update_fields=["spec"])
    old.resource = resource
    old.spec = {**old.spec, "main": False}
    old.save(update_fields=["spec"])
    return children.remove(actor, resource, old)
