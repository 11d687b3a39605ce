"""What the frame of a page tells its reader: announcements that concern them, and how much they have not read."""

from django.core.cache import cache
from django.db import DatabaseError

from portal.accounts.actors import account_of
from portal.core.actors import Actor
from portal.notify import queries
from portal.notify.models import Announcement
from portal.projects.access import own_projects
from portal.resources.models import Resource

KEPT_SECONDS = 60  # in which regions somebody has something
MOST = 99


def to_everybody() -> list[Announcement]:
    """Return the announcements that are for no region in particular: none on a page that says the database is away."""
    try:
        return queries.current_announcements(())
    except DatabaseError:
        return []


def to(actor: Actor) -> list[Announcement]:
    """Return the announcements that concern an actor. Which regions are theirs is asked only where it matters."""
    found = queries.current_announcements()
    if not any(announcement.regions for announcement in found):
        return found
    regions = _regions(actor)
    return [announcement for announcement in found if queries.concerns(announcement, regions)]


def unread(actor: Actor) -> str:
    """Return what the bell says: nothing, a number, or that there are more than it counts."""
    number = queries.unread_count(account_of(actor))
    return f"{MOST}+" if number > MOST else str(number or "")


def _regions(actor: Actor) -> list[str]:
    """Return the regions in which the actor's projects have services."""
    key = f"console.regions.{account_of(actor)}"
    kept: list[str] | None = cache.get(key)
    if kept is None:
        rows = Resource.objects.filter(project__in=own_projects(actor), purged_at=None).order_by()
        kept = list(rows.values_list("region__slug", flat=True).distinct())
        cache.set(key, kept, KEPT_SECONDS)
    return kept
