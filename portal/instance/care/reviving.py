"""Makes a restored database fit its new place: who was signed in is not any more, services find their data and ports.

Run once by ``restore`` in a child, in one transaction, after the migrations.
"""

import uuid
from collections.abc import Iterable

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal.audit.actions import record
from portal.bootstrap.say import say
from portal.clusters.backends.local.layout import Home, handles
from portal.clusters.backends.local.ports import Allocator
from portal.clusters.backends.local.stores import TablePortStore
from portal.clusters.models import Cluster, PortReservation
from portal.core import conditions
from portal.core.actors import SYSTEM
from portal.core.drivers import Origin
from portal.instance.care.archive import Service
from portal.instance.care.gathering import BACKUP
from portal.resources import events
from portal.resources.models import Child, Resource
from portal.resources.states import refresh

WAYS_IN = ("sessions.Session", "accounts.SignInLink", "usersessions.UserSession")  # of the old portal


@transaction.atomic
def revive(services: Iterable[Service]) -> None:
    """Settle everything that belongs to the place and the time of the old portal."""
    _close_the_ways_in()
    by_handle = {service.handle: service for service in services}
    _forget_strangers()
    moved = _keep_ports()
    for resource in Resource.objects.filter(purged_at=None).select_related("project", "cluster"):
        _settle(resource, by_handle.get(resource.handle), moved=resource.handle in moved)
    record(actor=SYSTEM, action="portal.restored", target_kind="portal", changes={"services": [None, len(by_handle)]})


def _close_the_ways_in() -> None:
    for label in WAYS_IN:
        app, _dot, name = label.partition(".")
        if app in apps.app_configs:
            apps.get_model(app, name)._base_manager.all().delete()


def _forget_strangers() -> None:
    """Remove the files of services that the database does not know: they were made after it was dumped."""
    known = set(Resource.objects.filter(purged_at=None).values_list("handle", flat=True))
    for handle in set(handles(settings.ARCHIPEL_DATA)) - known:
        Home(settings.ARCHIPEL_DATA, handle).bury()


def _keep_ports() -> set[str]:
    """Keep the ports that are free here, and return the services that get others."""
    moved = set()
    for cluster in Cluster.objects.filter(kind=Cluster.Kind.LOCAL):
        allocator = Allocator(TablePortStore(cluster), settings.ARCHIPEL_DATA)
        for held in PortReservation.objects.filter(cluster=cluster).order_by("port"):
            if not allocator.may_have(held.port):
                moved.add(held.handle)
                held.delete()
    return moved


def _settle(resource: Resource, service: Service | None, *, moved: bool) -> None:
    """Have the engine look at a service at once, with nothing of what was seen elsewhere."""
    resource.lease_token = resource.lease_until = None
    resource.next_reconcile_at, resource.failures = timezone.now(), 0
    names = {"lease_token", "lease_until", "next_reconcile_at", "failures", "state", "health"}
    if resource.cluster.kind == Cluster.Kind.LOCAL and resource.deletion_requested_at is None:
        names |= _not_seen_yet(resource)
        if service is None or service.how == BACKUP:
            names |= _born_again(resource, service)
        _tell(resource, service, moved=moved)
    refresh(resource)
    resource.save(update_fields=sorted(names))


def _not_seen_yet(resource: Resource) -> set[str]:
    seen = conditions.not_ready("Restored", "The platform was restored; this service is on its way back.")
    merged = conditions.merge(resource.conditions, [seen], generation=resource.generation, now=timezone.now())
    resource.conditions = merged
    return {"conditions"}


def _born_again(resource: Resource, service: Service | None) -> set[str]:
    """Have a service take its first data from its own backup; one that the archive holds nothing of begins empty."""
    backup = Child.objects.filter(id=uuid.UUID(service.child)).first() if service and service.child else None
    resource.facts = {}
    if backup or resource.ready_once_at:  # one that was never up may be on its way from another one's backup
        resource.origin = _origin(resource, backup) if backup else None
    return {"facts", "origin"}


def _origin(resource: Resource, backup: Child) -> dict[str, object]:
    """Return what ``engine.view`` makes the driver's ``Origin`` of."""
    facts = {**backup.facts, "name": backup.name}
    origin = Origin(resource.handle, backup.kind, backup.id, facts)
    return {"handle": origin.handle, "kind": origin.kind, "child_id": str(origin.child_id), "facts": facts}


def _tell(resource: Resource, service: Service | None, *, moved: bool) -> None:
    """Say to customer and operator what is not as it was."""
    words = "The platform was restored from a backup."
    if service is None:
        words = "The platform was restored from a backup that does not hold this service's data: it begins empty."
        say(f"{resource.name}: ordered while the backup was made, begins empty")
    if moved:
        words += " Its port was taken here; it has another."
        say(f"{resource.name}: its port is taken here, it gets another")
    events.note(resource, "Restored", words, severity="warning" if moved or service is None else "normal")
