"""Looks at settled services without writing: what would a turn find other than what is stored? Those are woken.

Backends wake the engine when they see a change; this is for the wake that was lost, with the broker or a process.
"""

import copy
import json
import logging
import uuid
from typing import Any

from django.core.cache import cache
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Prefetch
from django.utils import timezone

from portal.clusters.registry import backend_of
from portal.core.errors import TemporaryError
from portal.resources.engine import batches, bookkeeping, turn, view
from portal.resources.models import Child, Resource

logger = logging.getLogger(__name__)
AT_ONCE = 500
_PLACE = "archipel:drift"
_SEEN = ("conditions", "facts", "observed_generation", "state", "health")


def drifted() -> list[str]:
    """Return the handles of settled services that are not as stored, among the next ones in turn."""
    settled = Resource.objects.filter(next_reconcile_at=None, purged_at=None).select_related("cluster").order_by("id")
    single = Prefetch("children", Child.objects.single())
    place = cache.get(_PLACE)
    rows = list(
        (settled.filter(id__gt=place) if place else settled).prefetch_related(single, "links__target")[:AT_ONCE]
    )
    cache.set(_PLACE, str(rows[-1].id) if len(rows) == AT_ONCE else None, None)
    silent: set[uuid.UUID] = set()
    return [row.handle for row in rows if row.cluster_id not in silent and _has_drifted(row, silent)]


def _has_drifted(resource: Resource, silent: set[uuid.UUID]) -> bool:
    """Whether a turn would write something else; a cluster that does not answer is added to ``silent``."""
    try:
        return differs(resource)
    except TemporaryError:
        silent.add(resource.cluster_id)
    except Exception:
        logger.exception("service %s can't be looked at", resource.handle)
    return False


def differs(resource: Resource) -> bool:
    """Whether what is seen of a settled service is not what is stored."""
    children = list(resource.children.all())  # fetched along, see ``drifted``
    seen = view.build(resource, children, running=resource.running)
    driver = resource.offering.drivers[resource.cluster.kind]
    observation = driver.observe(seen, backend_of(resource.cluster).read(resource.handle))
    row, now = copy.copy(resource), timezone.now()
    turn.lay_over(turn.Turn(resource, children, observation), row, now)
    if _stored(row) != _stored(resource) or not batches.in_force(resource, observation):
        return True
    pairs = [(child, found) for child in children if (found := observation.children.get(child.id))]
    return any(bookkeeping.lay_over_child(resource, child, found, now) for child, found in pairs)


def _stored(resource: Resource) -> Any:
    """Return what a turn writes, as it comes back from its columns."""
    return json.loads(json.dumps([getattr(resource, name) for name in _SEEN], cls=DjangoJSONEncoder))
