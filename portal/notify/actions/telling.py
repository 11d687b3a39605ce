"""Tells people (``tell``) and machines (``emit``). Called inside the transaction of what it is about."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.notify import kinds, queries, tasks
from portal.notify.audience import audience
from portal.notify.kinds import Kind
from portal.notify.models import Delivery, Happening, Notification, Preference


def tell(
    people: Iterable[uuid.UUID],
    kind: str,
    *,
    params: Mapping[str, str] | None = None,
    link: str = "",
    organization_id: uuid.UUID | None = None,
    but: uuid.UUID | None = None,
) -> None:
    """Tell people something, in the console and by mail as each prefers. ``but`` is who did it and knows.

    ``params`` fill the kind's sentence and are kept: never a secret. ``link`` is a path of the console.
    """
    found, asked = kinds.kinds()[kind], dict.fromkeys(person for person in people if person != but)
    if not asked:
        return
    choices = _choices(asked, found)
    rows = [
        Notification(person_id=p, kind=kind, params=dict(params or {}), link=link, organization_id=organization_id)
        for p in asked
        if choices[p][0]
    ]
    Notification.objects.bulk_create(rows)
    _mail([person for person in asked if choices[person][1]], found, params or {}, link)


def _choices(people: Collection[uuid.UUID], kind: Kind) -> dict[uuid.UUID, tuple[bool, bool]]:
    """Return for each whether they are told in the console, and by mail."""
    choices = dict.fromkeys(people, (kind.console, kind.mail))
    if not kind.is_fixed:
        rows = Preference.objects.filter(person_id__in=people, kind=kind.slug)
        choices |= {row.person_id: (row.console, row.mail) for row in rows}
    return choices


def _mail(people: Collection[uuid.UUID], kind: Kind, params: Mapping[str, str], link: str) -> None:
    """Send each a mail; the backend keeps it in this transaction and sends it when that has committed."""
    if not people:
        return
    text = kinds.sentence(kind.slug, params)
    where = f"{settings.BASE_URL}{link}" if link else settings.BASE_URL
    foot = _("You choose what you are told at %(url)s") % {"url": f"{settings.BASE_URL}/account/notifications"}
    subject = " ".join(f"{kind.name} · Archipel".split())
    for address in audience().addresses(people).values():
        EmailMessage(subject, f"{text}\n\n{where}\n\n-- \n{foot}\n", to=[address]).send()


def emit(
    type_: str,
    *,
    organization_id: uuid.UUID,
    project_id: uuid.UUID | None = None,
    subject: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Have webhooks told of something, at least once each, when this transaction has committed.

    ``data`` is what the body says beside the subject: plain JSON, never a secret. Nobody listening costs one query.
    """
    hooks = queries.listening(type_, organization_id, project_id)
    if not hooks:
        return
    happening = Happening.objects.create(
        type=type_, organization_id=organization_id, project_id=project_id, subject=subject, data=dict(data or {})
    )
    Delivery.objects.bulk_create([Delivery(webhook=hook, happening=happening) for hook in hooks])
    transaction.on_commit(tasks.enqueue_delivery)


@transaction.atomic
def mark_read(person_id: uuid.UUID, *, notifications: Collection[uuid.UUID] | None = None) -> int:
    """Mark some of somebody's notifications as read, or all; return how many were not before."""
    rows = Notification.objects.filter(person_id=person_id, read_at=None)
    if notifications is not None:
        rows = rows.filter(id__in=notifications)
    return rows.update(read_at=timezone.now())


@transaction.atomic
def prefer(person_id: uuid.UUID, *, kind: str, console: bool, mail: bool) -> None:
    """Keep where somebody wants to be told of a kind; one that is fixed stays as it is."""
    if kinds.kinds()[kind].is_fixed:
        return
    Preference.objects.update_or_create(person_id=person_id, kind=kind, defaults={"console": console, "mail": mail})
