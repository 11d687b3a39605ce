"""Lets go of what has been kept long enough."""

import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from portal.notify.models import Delivery, Happening, Mail, Notification, Webhook

MAIL_KEPT = datetime.timedelta(days=14)
NOTIFICATIONS_KEPT = datetime.timedelta(days=180)
HAPPENINGS_KEPT = datetime.timedelta(days=30)  # as long as they can be sent again
ORPHANS_KEPT = datetime.timedelta(days=1)  # deliveries to a webhook that went while they were written
AT_ONCE = 5000  # rows of a kind in one task, which has its time limit; the next one goes on


def forget_old() -> None:
    """Delete old mail, notifications, and happenings that nobody waits for. Called by a task."""
    now = timezone.now()
    _delete(Mail.objects.filter(created_at__lt=now - MAIL_KEPT))
    _delete(Notification.objects.filter(created_at__lt=now - NOTIFICATIONS_KEPT))
    orphans = Delivery.objects.filter(created_at__lt=now - ORPHANS_KEPT)
    _delete(orphans.exclude(webhook_id__in=Webhook.objects.values("id")))
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING).values("happening_id")
    _delete(Happening.objects.filter(at__lt=now - HAPPENINGS_KEPT).exclude(id__in=waiting))


def _delete(rows: QuerySet[Any, Any]) -> None:
    oldest = list(rows.order_by("id").values_list("id", flat=True)[:AT_ONCE])
    rows.model._default_manager.filter(id__in=oldest).delete()
