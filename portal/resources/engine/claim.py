"""Claims and the one conditional write: what keeps two workers from undoing each other (DESIGN 8).

A claim takes a lease and raises the fence; the write at the end counts only while the lease is still ours. A wake that
came in between is seen by the due time, which the claim set to a value of its own.
"""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from portal.core.errors import UnreachableError
from portal.resources.models import Resource
from portal.resources.querysets import LEASE, LONGEST_LEASE, SKEW

# As SQL, since every turn asks these: composing them anew took a tenth of a turn's time.
_TAKE = """
UPDATE resources_resource
   SET lease_token = %(token)s, lease_until = %(until)s, next_reconcile_at = %(until)s, fence = fence + 1
 WHERE id = %(id)s AND purged_at IS NULL AND (NOT %(only_due)s OR next_reconcile_at <= %(now)s)
   AND (lease_until IS NULL OR lease_until <= %(now)s OR lease_until > %(too_late)s)"""
_HOLD = "SELECT * FROM resources_resource WHERE id = %s AND lease_token = %s FOR NO KEY UPDATE"
# No turn puts off longer what is not in the bin, unless for an operation's deadline: looking early does no harm.
FURTHEST = datetime.timedelta(minutes=7)


@dataclass(slots=True)
class Claim:
    """A service that this worker alone may write until the lease ends."""

    resource: Resource
    token: uuid.UUID
    until: datetime.datetime
    at: datetime.datetime


def take(resource_id: uuid.UUID, *, only_due: bool = False) -> Claim | None:
    """Claim a service, or return None: it is gone, or somebody has it and will see the wake that we left.

    ``only_due`` leaves alone what another turn has settled since the message was sent: messages may come twice.
    """
    now = timezone.now()
    token, until = uuid.uuid4(), now + LEASE
    asked: dict[str, Any] = {"token": token, "until": until, "now": now, "too_late": now + LONGEST_LEASE}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {**asked, "id": resource_id, "only_due": only_due})
        if not cursor.rowcount:
            return None
    resource = Resource.objects.select_related("project", "region", "cluster").get(id=resource_id)
    return Claim(resource, token, until, now)


def hold(claim: Claim) -> Resource | None:
    """Lock the row as it is now until the transaction ends; None where the claim was lost.

    What people have asked for meanwhile is kept, and as actions lock the service before its parts, so does the engine.
    """
    return next(iter(Resource.objects.raw(_HOLD, [claim.resource.id, claim.token])), None)


def write(claim: Claim, held: Resource, fields: dict[str, Any], *, due: datetime.datetime | None) -> bool:
    """Write the end of a turn and give the lease back; return whether another turn is due at once.

    ``held`` is the row as ``hold`` has locked it: where a new generation or a wake has come in meanwhile, it is due.
    """
    now = timezone.now()
    untouched = (held.generation, held.next_reconcile_at) == (claim.resource.generation, claim.until)
    due = due if untouched else now
    rows = Resource.objects.filter(id=held.id, lease_token=claim.token)
    rows.update(**fields, lease_token=None, lease_until=None, next_reconcile_at=due, updated_at=now)
    return due is not None and due <= now


def wake_users(resource: Resource) -> None:
    """Make the services due that use this one: where it is reached, or whether it serves, has changed."""
    users = Resource.objects.filter(links__target=resource, purged_at=None)
    users.update(next_reconcile_at=timezone.now())


def wake_from_the_future(now: datetime.datetime) -> None:
    """Make due what a turn has put off before the clock was set back: it would wait for the old time to come again."""
    late = Q(next_reconcile_at__gt=now + FURTHEST, deleted_at=None)  # asked with the old time as the new one came
    late |= Q(next_reconcile_at__gt=now, updated_at__gt=now + SKEW)
    Resource.objects.filter(late, purged_at=None).update(next_reconcile_at=now)


def wake_from_silence(now: datetime.datetime) -> None:
    """Make due what waits because its cluster did not answer, where that answers by now."""
    waiting = Resource.objects.filter(next_reconcile_at__gt=now, failures__gt=0, lease_until=None, purged_at=None)
    silent = [{"type": "Synced", "reason": UnreachableError.reason}]
    waiting.filter(cluster__silent_since=None, conditions__contains=silent).update(next_reconcile_at=now)


def wake(*, handle: str) -> uuid.UUID | None:
    """Make a service due now; return its id, or None where there is no such living service."""
    rows = Resource.objects.filter(handle=handle, purged_at=None)
    return rows.values_list("id", flat=True).first() if rows.update(next_reconcile_at=timezone.now()) else None
