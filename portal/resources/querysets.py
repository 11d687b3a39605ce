"""The sets of rows that pages, API and engine ask for. Who sees which is ``access``'s."""

import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from portal.core import registry

LEASE = datetime.timedelta(seconds=60)  # longer than CELERY_TASK_TIME_LIMIT
SKEW = datetime.timedelta(minutes=2)  # between the clocks of two hosts, at most
LONGEST_LEASE = LEASE + SKEW  # one that seems to last longer is from before the clock was set back

if TYPE_CHECKING:
    from portal.resources.models import Child, Operation, Resource  # noqa: F401 - named in the bases below


class ResourceQuerySet(models.QuerySet["Resource"]):
    def listed(self) -> "ResourceQuerySet":
        """Keep what lists show: no tombstones, nothing in the bin, no parts of other services."""
        return self.filter(purged_at=None, deleted_at=None, owner=None)

    def binned(self) -> "ResourceQuerySet":
        """Keep what is in the bin and can be brought back."""
        return self.filter(purged_at=None, deleted_at__isnull=False, owner=None)

    def living(self) -> "ResourceQuerySet":
        """Keep what counts for quota and bill."""
        return self.filter(purged_at=None, deletion_requested_at=None)

    def due(self, now: datetime.datetime) -> "ResourceQuerySet":
        """Keep what the engine should look at and nobody is looking at."""
        free = Q(lease_until=None) | Q(lease_until__lte=now) | Q(lease_until__gt=now + LONGEST_LEASE)
        return self.filter(free, next_reconcile_at__lte=now).order_by("next_reconcile_at")


class ChildQuerySet(models.QuerySet["Child"]):
    def kept(self) -> "ChildQuerySet":
        """Keep what is there or on its way, without what is being removed."""
        return self.filter(deletion_requested_at=None)

    def single(self) -> "ChildQuerySet":
        """Leave out those that go to their backend as one document: there may be thousands."""
        found = self
        for offering in registry.offerings().values():
            for kind in offering.children:
                if kind.is_batch:
                    found = found.exclude(kind=kind.slug, resource__offering_slug=offering.slug)
        return found


class OperationQuerySet(models.QuerySet["Operation"]):
    def open(self) -> "OperationQuerySet":
        return self.filter(state__in=["queued", "running"])
