"""Lets go of what has been kept long enough, and of what is held about somebody who is erased."""

import datetime
import uuid
from collections.abc import Collection

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from portal.notify.models import Delivery, Happening, Mail, Notification, Preference

MAIL_KEPT = datetime.timedelta(days=14)
NOTIFICATIONS_KEPT = datetime.timedelta(days=180)
HAPPENINGS_KEPT = datetime.timedelta(days=30)  # as long as they can be sent again


def forget_old() -> None:
    """Delete old mail, notifications, and happenings that nobody waits for. Called by a task."""
    now = timezone.now()
    Mail.objects.filter(created_at__lt=now - MAIL_KEPT).delete()
    Notification.objects.filter(created_at__lt=now - NOTIFICATIONS_KEPT).delete()
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING).values("happening_id")
    Happening.objects.filter(at__lt=now - HAPPENINGS_KEPT).exclude(id__in=waiting).delete()


@transaction.atomic
def forget_person(person_id: uuid.UUID, *, addresses: Collection[str]) -> None:
    """Delete what is held about a person who is erased: notifications, preferences, mail to any of their addresses."""
    Notification.objects.filter(person_id=person_id).delete()
    Preference.objects.filter(person_id=person_id).delete()
    matching = Q(pk__in=[])
    for address in addresses:
        matching |= Q(recipient__iexact=address)
    Mail.objects.filter(matching).delete()
    for address in addresses:  # others were told of them by name
        Notification.objects.filter(params__person__iexact=address).delete()
