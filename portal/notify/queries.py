"""Reads of what people are told, for pages and API."""

import datetime
import uuid
from collections.abc import Collection, Iterable

from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.notify.models import Announcement, Delivery, Notification, Webhook

CURRENT, CHANGED = "notify.current", "notify.changed"
KEPT_SECONDS = 20  # of what every page asks; an act of an operator forgets it at once
SHOWN_FOR = datetime.timedelta(days=90)  # in the public list


def current_announcements(regions: Collection[str] | None = None) -> list[Announcement]:
    """Return what is to be shown now for these regions and for everybody, the worst first. None means all regions.

    Almost every page asks: one look into the cache.
    """
    now = timezone.now()
    order = {"critical": 0, "warning": 1}
    found = [a for a in _current() if a.is_current(now) and (regions is None or concerns(a, regions))]
    return sorted(found, key=lambda a: order.get(a.severity, 2))


def concerns(announcement: Announcement, regions: Collection[str]) -> bool:
    """Whether an announcement is for somebody with something in these regions."""
    return not announcement.regions or any(region in announcement.regions for region in regions)


def forget_current() -> None:
    """Have the next page ask the database, also where another is keeping at this moment what it has read before."""
    cache.set(CHANGED, uuid.uuid4().hex, None)


def _current() -> list[Announcement]:
    """Return what is or soon will be to be shown; whoever asks looks at the clock again."""
    found = cache.get_many([CURRENT, CHANGED])
    changed, kept = found.get(CHANGED), found.get(CURRENT)
    if kept is not None and kept[0] == changed:
        rows: list[Announcement] = kept[1]
        return rows
    soon = timezone.now() + datetime.timedelta(seconds=KEPT_SECONDS)
    open_end = Q(ends_at=None) | Q(ends_at__gt=timezone.now())
    rows = list(Announcement.objects.filter(open_end, resolved_at=None, starts_at__lte=soon)[:20])
    cache.set(CURRENT, (changed, rows), KEPT_SECONDS)
    return rows


def announcements() -> QuerySet[Announcement]:
    """Return the public list: what is announced, going on, and over since at most ``SHOWN_FOR``, newest first."""
    recent = Q(starts_at__gt=timezone.now() - SHOWN_FOR) | Q(resolved_at=None, ends_at=None)
    return Announcement.objects.filter(recent).prefetch_related("updates")


def announcements_for(*, current: bool, region: str | None) -> QuerySet[Announcement]:
    """Return the public list, only what is going on now, or only what concerns a region."""
    rows, now = announcements(), timezone.now()
    if current:
        rows = rows.filter(Q(ends_at=None) | Q(ends_at__gt=now), resolved_at=None, starts_at__lte=now)
    return rows.filter(Q(regions=[]) | Q(regions__contains=[region])) if region else rows


def unread_count(person_id: uuid.UUID) -> int:
    """Return how many notifications somebody has not read, counted no further than the bell shows (100)."""
    return Notification.objects.filter(person_id=person_id, read_at=None).order_by()[:100].count()


def notifications_of(person_id: uuid.UUID, *, unread: bool = False) -> QuerySet[Notification]:
    rows = Notification.objects.filter(person_id=person_id)
    return rows.filter(read_at=None) if unread else rows


def webhooks_of(organization_id: uuid.UUID) -> QuerySet[Webhook]:
    return Webhook.objects.filter(organization_id=organization_id)


def deliveries_of(webhook: Webhook) -> QuerySet[Delivery]:
    return Delivery.objects.filter(webhook=webhook).select_related("happening").prefetch_related("tries")


def listening(type_: str, organization_id: uuid.UUID, project_id: uuid.UUID | None) -> Iterable[Webhook]:
    """Return the webhooks that want to hear of something."""
    rows = Webhook.objects.filter(organization_id=organization_id, enabled=True).order_by("id")
    return [
        hook
        for hook in rows.defer("secret", "retired")
        if (hook.project_id is None or hook.project_id == project_id)
        and (not hook.event_types or type_ in hook.event_types)
    ]
