"""Says which part of the audit log somebody may read, and gives its rows the names that people know."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _

from portal.accounts.actors import account_of
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.queries import Audience, Filters, events_for
from portal.core import ids
from portal.core.actors import Actor
from portal.core.api.pagination import parameter
from portal.core.errors import invalid
from portal.projects import access

OUTCOMES = ("done", "denied")
FILTERS = ("organization", "project", "target", "actor", "action", "outcome", "since", "until")
PREFIXES = {
    "organization": "org",
    "project": "proj",
    "user": "user",
    "token": "tok",
    "service": "svc",
    "operation": "op",
}


def events(actor: Actor, query: Mapping[str, str]) -> QuerySet[AuditEvent]:
    """Return the events that an actor may read, kept by the filters of a page or API call.

    ``query``: organization, project (slug or id), target, actor (ids), action, outcome, since, until. Raises Problem:
    ``not_found`` for what is not there, ``permission_denied`` where the log is not the actor's to read,
    ``invalid_arguments``.
    """
    audience = Audience(
        access.visible_organizations(actor, "audit.read"),
        access.visible_projects(actor, "audit.read"),
        actor.id if actor.scopes is None else None,
    )
    return _with_names(actor, events_for(audience, filters_of(actor, query)))


def filters_of(actor: Actor, query: Mapping[str, str]) -> Filters:
    filters = Filters(
        target_id=_id(query, "target"),
        actor_id=_id(query, "actor"),
        action=query.get("action", "").replace("\0", "") or None,
        outcome=_outcome(query),
        since=_time(query, "since"),
        until=_time(query, "until"),
    )
    if ref := query.get("project"):
        return replace(filters, project_id=access.access_project(actor, ref, "audit.read").id)
    if ref := query.get("organization"):
        return replace(filters, organization_id=access.access_organization(actor, ref, "audit.read").id)
    return filters


def actor_name(event: AuditEvent) -> str:
    """Return who did it: a mail address for the reader's own people, the provider's people as such."""
    if event.actor_kind == "system":
        return "Archipel"
    email, by_provider = getattr(event, "actor_email", None), getattr(event, "by_provider", False)
    return email or (_("Provider") if by_provider else _("Somebody who left"))


def target_name(event: AuditEvent) -> str:
    """Return what a reader calls the thing that an event is about: people by mail address, the rest by its name."""
    return getattr(event, "target_email", None) or event.target_name or public_target(event) or event.target_kind


def public_target(event: AuditEvent) -> str | None:
    """Return the public id of what an event is about."""
    if event.target_id is None:
        return None
    return ids.encode(PREFIXES.get(event.target_kind, event.target_kind.replace("_", "")), event.target_id)


def _with_names(actor: Actor, rows: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """Add who acted and on whom, in the same query: readers know the people of their own organizations alone."""
    person, target = User.objects.filter(id=OuterRef("actor_id")), User.objects.filter(id=OuterRef("target_id"))
    known = Q(memberships__organization__in=access.visible_organizations(actor)) | Q(id=account_of(actor))
    return rows.annotate(
        actor_email=Subquery(person.filter(known).values("email")[:1]),
        target_email=Subquery(target.filter(known).values("email")[:1]),
        by_provider=Exists(person.filter(Q(is_operator=True) | Q(is_support=True))),
    )


def _id(query: Mapping[str, str], name: str) -> uuid.UUID | None:
    text = query.get(name)
    if not text:
        return None
    key = ids.decode(text.partition("_")[0], text)
    if key is None:
        raise invalid(parameter(name, "id", _("Give an id as the API shows it, such as svc_ and 26 characters.")))
    return key


def _outcome(query: Mapping[str, str]) -> str | None:
    text = query.get("outcome") or None
    if text is not None and text not in OUTCOMES:
        raise invalid(parameter("outcome", "choice", _("Choose done or denied.")))
    return text


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name, "").replace(" ", "+")  # a plus of the zone that was not escaped
    if not text:
        return None
    try:
        date = parse_date(text)
        moment = datetime(date.year, date.month, date.day) if date else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise invalid(parameter(name, "time", _("Give a date or an RFC 3339 time, such as 2026-11-23T10:00:00Z.")))
    return make_aware(moment) if is_naive(moment) else moment
