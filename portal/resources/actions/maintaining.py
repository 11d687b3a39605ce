"""What the platform does to services by itself in their window, and what it is going to do."""

import datetime
import logging
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from portal.core import registry
from portal.core.actors import SYSTEM
from portal.core.errors import Problem
from portal.core.offerings import UPGRADE
from portal.resources import events, maintenance
from portal.resources.actions.lifecycle import newer_releases, upgrade
from portal.resources.models import Operation, Resource, State

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """A newer release of the service's line, and when the platform moves to it."""

    release: str
    description: str
    start_at: datetime.datetime


def pending_update(resource: Resource, now: datetime.datetime) -> PendingUpdate | None:
    """Return what waits for the window; None where the service runs the newest release or is on its way out."""
    newer = newer_releases(resource)
    if not newer or resource.offering.verb(UPGRADE.slug) is None or resource.deletion_requested_at is not None:
        return None
    words = {"name": resource.offering.name, "before": resource.release, "after": newer[0]}
    text = _("%(name)s %(before)s is upgraded to %(after)s; connections drop for some seconds.") % words
    start_at = _turn(resource, now) or maintenance.load(resource.maintenance).last(now) + maintenance.WEEK
    return PendingUpdate(newer[0], text, start_at)


def maintain(now: datetime.datetime) -> int:
    """Upgrade every service that is behind and whose window is open; return how many were begun.

    What is busy is tried again while its window lasts, and never pushed aside.
    """
    return sum(_upgrade(resource, now) for resource in _behind() if _turn(resource, now) is not None)


def _turn(resource: Resource, now: datetime.datetime) -> datetime.datetime | None:
    """Return when the open window began, unless the service had its turn in it."""
    began = maintenance.load(resource.maintenance).open_since(now)
    had = resource.maintained_at is not None and began is not None and resource.maintained_at >= began
    return None if had else began


def _behind() -> list[Resource]:
    """Return services at rest whose release is not the newest of its line."""
    wanted = Q(pk__in=[])
    for offering in registry.offerings().values():
        for version in offering.versions if offering.verb(UPGRADE.slug) else ():
            wanted |= Q(offering_slug=offering.slug, version=version.line) & ~Q(release=version.newest)
    resting = Resource.objects.living().filter(state__in=[State.RUNNING, State.STOPPED], ready_once_at__isnull=False)
    return list(resting.filter(wanted).exclude(operations__state__in=Operation.OPEN).select_related("project"))


def _upgrade(resource: Resource, now: datetime.datetime) -> bool:
    release, window = newer_releases(resource)[0], maintenance.load(resource.maintenance).words()
    try:
        with transaction.atomic():
            operation = upgrade(SYSTEM, resource, version=release)
            Resource.objects.filter(id=resource.id).update(maintained_at=now)
            text = _("Archipel upgrades this service from %(before)s to %(after)s in its window, %(window)s.")
            words = {"before": resource.release, "after": release, "window": window}
            events.note(resource, "Maintenance", text % words, operation=operation)
    except Problem as problem:
        logger.info("%s was not upgraded in its window: %s", resource.handle, problem)
        return False
    return True
