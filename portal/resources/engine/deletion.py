"""How a service goes: a final backup and days in the bin, or at once; and the proof that nothing is left."""

import datetime

from django.conf import settings
from django.utils import timezone

from portal.clusters import authorities
from portal.clusters.backends.base import Backend
from portal.core import conditions
from portal.core.conditions import Condition, Status
from portal.core.drivers import Observation
from portal.resources.models import Child, DeletionPolicy, Resource

FINAL_BACKUP_PATIENCE = datetime.timedelta(minutes=15)


def days_in_bin() -> datetime.timedelta:
    """Return how long a deleted service can be brought back."""
    return datetime.timedelta(days=settings.DAYS_IN_BIN)


def wants_nothing(resource: Resource, now: datetime.datetime) -> bool:
    """Whether the service is to be taken away now, data included. ``now`` is the time of the claim."""
    if resource.deletion_requested_at is None:
        return False
    over = resource.purge_after is not None and resource.purge_after <= now
    return over or resource.deletion_policy == DeletionPolicy.WIPE


def wants_running(resource: Resource, children: list[Child]) -> bool:
    """Whether the engine process should run: as asked, and during a deletion until the final backup has ended."""
    if resource.deletion_requested_at is None or not resource.running:
        return resource.running
    patient = resource.deletion_requested_at + FINAL_BACKUP_PATIENCE > timezone.now()
    return patient and any(_is_open_final_backup(child) for child in children)


def _is_open_final_backup(child: Child) -> bool:
    return bool(child.facts.get("final")) and child.state in ("pending", "running")


def unfinished(resource: Resource) -> bool:
    """Whether a deletion is on its way and has not come to the bin or the end."""
    return resource.deletion_requested_at is not None and resource.deleted_at is None


def advance(resource: Resource, observation: Observation) -> None:
    """Put a service into the bin once it has stopped."""
    if resource.deletion_requested_at is None or resource.deleted_at is not None:
        return
    stopped = any(c.type == "Stopped" and c.status is Status.TRUE for c in observation.conditions)
    if stopped:
        resource.deleted_at = timezone.now()
        resource.purge_after = resource.deleted_at + days_in_bin()


def purge(resource: Resource, backend: Backend) -> tuple[str, ...]:
    """Ask for everything to be removed; return what is left, on this machine's disk as well."""
    backend.delete(resource.handle, fence=resource.fence)
    return (*backend.leftovers(resource.handle), *authorities.remove(resource.handle))


def removing(left: tuple[str, ...]) -> Condition:
    """Say what is still there of a service that goes, or that nothing is."""
    if not left:
        return conditions.not_ready("Removed", "Nothing is left of it.")
    return conditions.not_ready("Removing", f"Still to be removed: {', '.join(left)}")


def bury(resource: Resource, now: datetime.datetime) -> None:
    """Make the row a tombstone: nothing is left of the service."""
    resource.purged_at = now
    resource.deleted_at = resource.deleted_at or now
