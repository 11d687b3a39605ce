"""Reads the filters of the audit log from an address: the same words for page, export and API."""

import datetime
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _

from portal.accounts.actors import account_of
from portal.accounts.models import User
from portal.audit.queries import Filters
from portal.core import ids
from portal.core.actors import Actor
from portal.core.api.pagination import parameter
from portal.core.errors import Problem, invalid
from portal.projects import access

OUTCOMES = ("done", "denied")
PERIODS = {
    "1h": datetime.timedelta(hours=1),
    "24h": datetime.timedelta(hours=24),
    "7d": datetime.timedelta(days=7),
    "30d": datetime.timedelta(days=30),
    "90d": datetime.timedelta(days=90),
}
FILTERS = (
    "organization",
    "project",
    "target",
    "target_kind",
    "actor",
    "action",
    "outcome",
    "period",
    "since",
    "until",
)
WORD = re.compile(r"[a-z][a-z0-9_]{0,31}")
PLATFORM, PROVIDER = "platform", "provider"  # for ``actor``, beside ids and mail addresses


def filters_of(actor: Actor, query: Mapping[str, str]) -> Filters:
    """Return what to keep. Raises Problem ``invalid_arguments``, and as the access functions do."""
    filters = Filters(
        target_id=_id(query, "target"),
        target_kind=_word(query, "target_kind"),
        action=query.get("action", "").replace("\0", "") or None,
        outcome=_outcome(query),
        since=_time(query, "since") or _begin_of_period(query),
        until=_time(query, "until"),
    )
    filters = _by(actor, query.get("actor", ""), filters)
    if ref := query.get("project"):
        return replace(filters, project_id=access.access_project(actor, ref, "audit.read").id)
    if ref := query.get("organization"):
        return replace(filters, organization_id=access.access_organization(actor, ref, "audit.read").id)
    return filters


def known_people(actor: Actor) -> QuerySet[User]:
    """Return whom a reader knows by name: themselves, and who belongs to an organization that they may see."""
    own = access.visible_organizations(actor)
    known = Q(memberships__organization__in=own) | Q(machine_of__in=own.values("id")) | Q(id=account_of(actor))
    return User.objects.filter(known)


def _by(actor: Actor, who: str, filters: Filters) -> Filters:
    """Keep what somebody did: by id, by mail address, or by a word. An address that nobody has keeps nothing."""
    if not who:
        return filters
    if who == PLATFORM:
        return replace(filters, actor_kind="system")
    if who == PROVIDER:
        people = User.objects.filter(Q(is_operator=True) | Q(is_support=True))
        return replace(filters, actors=people.values("id"))
    if "@" in who:
        return replace(filters, actors=known_people(actor).filter(email__iexact=who.replace("\0", "")).values("id"))
    return replace(filters, actor_id=_id({"actor": who}, "actor"))


def _id(query: Mapping[str, str], name: str) -> uuid.UUID | None:
    text = query.get(name)
    if not text:
        return None
    key = ids.decode(text.partition("_")[0], text)
    if key is None:
        raise _wrong(name, "id", _("Give an id as the API shows it, such as svc_ and 26 characters."))
    return key


def _word(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name) or None
    if text is not None and not WORD.fullmatch(text):
        raise _wrong(name, "choice", _("Give a kind as the log shows it, such as service or user."))
    return text


def _outcome(query: Mapping[str, str]) -> str | None:
    text = query.get("outcome") or None
    if text is not None and text not in OUTCOMES:
        raise _wrong("outcome", "choice", _("Choose done or denied."))
    return text


def _begin_of_period(query: Mapping[str, str]) -> datetime.datetime | None:
    text = query.get("period")
    if not text:
        return None
    if text not in PERIODS:
        raise _wrong("period", "choice", _("Choose one of: %(known)s.") % {"known": ", ".join(PERIODS)})
    return timezone.now() - PERIODS[text]


def _time(query: Mapping[str, str], name: str) -> datetime.datetime | None:
    text = query.get(name, "").replace(" ", "+")  # a plus of the zone that was not escaped
    if not text:
        return None
    try:
        date = parse_date(text)
        moment = datetime.datetime(date.year, date.month, date.day) if date else parse_datetime(text)
        if moment is not None:  # in UTC, since the database takes no zone that is further off than 16 hours
            return (make_aware(moment) if is_naive(moment) else moment).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        pass
    raise _wrong(name, "time", _("Give a date or an RFC 3339 time, such as 2026-11-23T10:00:00Z."))


def _wrong(name: str, code: str, detail: str) -> Problem:
    return invalid(parameter(name, code, detail))
