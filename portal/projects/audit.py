"""Says which part of the audit log somebody may read, and gives its rows the names that people know."""

import uuid
from collections.abc import Callable, Iterable, Mapping

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.accounts.actors import account_of
from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.audit.queries import Audience, events_for
from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import not_found
from portal.projects import access
from portal.projects.audit_filters import FILTERS, OUTCOMES, filters_of, known_people

__all__ = [
    "FILTERS",
    "OUTCOMES",
    "access_event",
    "actor_name",
    "events",
    "public_actor",
    "public_target",
    "target_name",
    "where",
]
PREFIXES = {
    "organization": "org",
    "project": "proj",
    "user": "user",
    "service_account": "sa",
    "token": "tok",
    "service": "svc",
    "invitation": "inv",
    "operation": "op",
    "quota_request": "qreq",
}
Addresses = Callable[[Actor, Mapping[str, set[uuid.UUID]]], Mapping[uuid.UUID, str]]


def events(actor: Actor, query: Mapping[str, str]) -> QuerySet[AuditEvent]:
    """Return the events that an actor may read, kept by the filters of a page or API call.

    ``query``: ``FILTERS``. Raises Problem: ``not_found`` for what is not there, ``permission_denied`` where the log is
    not the actor's to read, ``invalid_arguments``.
    """
    audience = Audience(
        access.visible_organizations(actor, "audit.read"),
        access.visible_projects(actor, "audit.read"),
        actor.id if actor.scopes is None else None,
        ApiToken.objects.filter(user_id=account_of(actor)).values("id"),
        platform=actor.scopes is None and "provider.operate" in access.provider_permissions(actor),
    )
    return _with_names(actor, events_for(audience, filters_of(actor, query)))


def access_event(actor: Actor, public_id: str) -> AuditEvent:
    """Return one event that the actor may read. Raises Problem ``not_found``."""
    key = ids.decode("aud", public_id)
    event = events(actor, {}).filter(id=key).first() if key else None
    if event is None:
        raise not_found()
    return event


def actor_name(event: AuditEvent) -> str:
    """Return who did it: a mail address for the reader's own people, the provider's people as such."""
    if event.actor_kind == "system":
        return "Archipel"
    if event.actor_kind == "anonymous":
        return _("Somebody not signed in")
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


def public_actor(event: AuditEvent) -> str | None:
    """Return the public id of who did it."""
    prefix = "sa" if event.actor_kind == "service_account" else "user"
    return ids.encode(prefix, event.actor_id) if event.actor_id else None


def where(actor: Actor, shown: Iterable[AuditEvent]) -> dict[uuid.UUID, str]:
    """Return the addresses of what events are about, as far as the reader may see it: a query or two for a page."""
    wanted: dict[str, set[uuid.UUID]] = {}
    for event in shown:
        if event.target_id:
            wanted.setdefault(event.target_kind, set()).add(event.target_id)
    found: dict[uuid.UUID, str] = {}
    for name in settings.AUDIT_TARGETS:
        ask: Addresses = import_string(name)
        found.update(ask(actor, wanted))
    return found


def addresses(actor: Actor, wanted: Mapping[str, set[uuid.UUID]]) -> dict[uuid.UUID, str]:
    """Answer ``where`` for organizations and projects."""
    found: dict[uuid.UUID, str] = {}
    kinds = (
        ("organization", "organization_detail", access.visible_organizations),
        ("project", "project_detail", access.visible_projects),
    )
    for kind, page, visible in kinds:
        rows = visible(actor).filter(id__in=wanted[kind]).values_list("id", "slug") if wanted.get(kind) else ()
        found |= {key: reverse(page, args=[slug]) for key, slug in rows}
    return found


def _with_names(actor: Actor, rows: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """Add who acted and on whom, in the same query: readers know the people of their own organizations alone."""
    person, target = User.objects.filter(id=OuterRef("actor_id")), User.objects.filter(id=OuterRef("target_id"))
    known = known_people(actor).values("id")
    called = Case(When(machine_of=None, then=F("email")), default=F("name"))
    return rows.annotate(
        actor_email=Subquery(person.filter(id__in=known).values(called=called)[:1]),
        target_email=Subquery(target.filter(id__in=known).values(called=called)[:1]),
        by_provider=Exists(person.filter(Q(is_operator=True) | Q(is_support=True))),
    )
