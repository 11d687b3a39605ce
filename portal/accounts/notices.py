"""What a person is told (``portal.notify``), as they may see it, for pages and API alike."""

import uuid
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.functional import Promise

from portal.accounts.actions import require_writing
from portal.accounts.actors import account_of
from portal.accounts.scopes import grant_of
from portal.audit import actions as audit
from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import not_found, permission_denied
from portal.notify import kinds, queries
from portal.notify.models import Notification, Preference


@dataclass(frozen=True, slots=True)
class Shown:
    """A notification in the reader's words."""

    row: Notification
    text: str
    icon: str
    tone: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a kind is told."""

    kind: str
    name: str | Promise
    console: bool
    mail: bool
    is_fixed: bool


def reader(actor: Actor) -> uuid.UUID:
    """Return whose notifications an actor reads: nobody's by a token that is limited to some places."""
    return uuid.UUID(int=0) if grant_of(actor.scopes).is_limited else account_of(actor)


def writer(actor: Actor, action: str) -> uuid.UUID:
    """Return whose notifications and choices an actor may change.

    Raises Problem ``permission_denied``, and records the try, for a token that only reads or is limited to some places.
    """
    require_writing(actor, action)
    if grant_of(actor.scopes).is_limited:
        audit.record(actor=actor, action=action, target_kind="user", target_id=actor.id, outcome="denied")
        raise permission_denied(action, "notifications")
    return account_of(actor)


def visible(actor: Actor, *, unread: bool = False) -> QuerySet[Notification]:
    return queries.notifications_of(reader(actor), unread=unread)


def access_notification(actor: Actor, public_id: str) -> Notification:
    """Return one of the actor's own. Raises Problem ``not_found``."""
    key = ids.decode("ntf", public_id)
    found = visible(actor).filter(pk=key).first() if key else None
    if found is None:
        raise not_found()
    return found


def shown(row: Notification) -> Shown:
    kind = kinds.kinds().get(row.kind)
    icon, tone = (kind.icon, kind.tone) if kind else ("bell", "info")
    return Shown(row, kinds.sentence(row.kind, row.params), icon, tone)


def choices(actor: Actor) -> list[Choice]:
    """Return for each kind where the actor is told of it."""
    own = {row.kind: row for row in Preference.objects.filter(person_id=reader(actor))}
    found = []
    for slug, kind in kinds.kinds().items():
        chosen = None if kind.is_fixed else own.get(slug)
        console, mail = (chosen.console, chosen.mail) if chosen else (kind.console, kind.mail)
        found.append(Choice(slug, kind.name, console, mail, kind.is_fixed))
    return found
