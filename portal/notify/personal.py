"""What is kept of what people were told: notifications, where they want them, mail. Asked through ``core.personal``."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from portal.core.personal import Holder, Person, scrub
from portal.notify.models import Happening, Mail, Notification, Preference


def collect(person: Person) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Return what somebody was told and how they want to be told; of mail that it went out, not what it said."""
    told = Notification.objects.filter(person_id=person.id)
    return {
        "notifications": told.values("kind", "params", "link", "created_at", "read_at"),
        "notification_preferences": Preference.objects.filter(person_id=person.id).values("kind", "console", "mail"),
        "mail": _mail(person).values("recipient", "subject", "state", "created_at", "sent_at"),
    }


def erase(person: Person) -> None:
    """Delete what they were told, and take their addresses out of what others were told of them."""
    Notification.objects.filter(person_id=person.id).delete()
    Preference.objects.filter(person_id=person.id).delete()
    _mail(person).delete()
    scrub(Mail.objects.all(), "subject", person)
    scrub(Notification.objects.all(), "params", person)
    scrub(Happening.objects.all(), "data", person)


def _mail(person: Person) -> QuerySet[Mail]:
    wanted = Q(pk__in=[])  # somebody without an address has no mail, not all of it
    for address in person.addresses:
        wanted |= Q(recipient__iexact=address)
    return Mail.objects.filter(wanted)


HOLDER = Holder(collect=collect, erase=erase)
