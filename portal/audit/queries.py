"""Reads of the audit log. Who may see which organizations and projects is the caller's to say (``projects.audit``)."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet

from portal.audit.models import AuditEvent

EXACT = ("organization_id", "project_id", "target_id", "target_kind", "actor_id", "actor_kind", "outcome")


@dataclass(frozen=True, slots=True)
class Filters:
    """What to keep; None keeps all. ``action`` is exact, or the part before its dot; ``actors`` selects ids."""

    organization_id: uuid.UUID | None = None
    project_id: uuid.UUID | None = None
    target_id: uuid.UUID | None = None
    target_kind: str | None = None
    actor_id: uuid.UUID | None = None
    actor_kind: str | None = None
    actors: QuerySet[Any, Any] | None = None
    action: str | None = None
    outcome: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """What somebody may read: all of some organizations, of some projects, and what was done to their own account.

    ``tokens`` selects the ids of their tokens; ``platform``: also all that belongs to no organization.
    """

    organizations: QuerySet[Any, Model]
    projects: QuerySet[Any, Model]
    person: uuid.UUID | None
    tokens: QuerySet[Any, Any] | None = None
    platform: bool = False


def events_for(audience: Audience, filters: Filters) -> QuerySet[AuditEvent]:
    """Return the events that the audience may read and the filters keep, newest first."""
    own = Q(organization_id=None) & _own(audience) if audience.person else Q(pk__in=[])
    if audience.platform:
        own = Q(organization_id=None)
    visible = Q(organization_id__in=audience.organizations.values("id")) | Q(
        project_id__in=audience.projects.values("id")
    )
    return AuditEvent.objects.filter(visible | own).filter(*_kept(filters)).order_by("-id")


def _own(audience: Audience) -> Q:
    """What somebody did to their account, and what the provider's people did to it or to a token of theirs."""
    done = Q(actor_id=audience.person) | Q(target_kind="user", target_id=audience.person)
    tokens = audience.tokens
    return done if tokens is None else done | Q(target_kind="token", target_id__in=tokens)


def _kept(filters: Filters) -> list[Q]:
    exact = {name: value for name in EXACT if (value := getattr(filters, name)) is not None}
    kept = [Q(**exact)] if exact else []
    if filters.actors is not None:
        kept.append(Q(actor_id__in=filters.actors))
    if filters.action:
        kept.append(Q(action=filters.action) | Q(action__startswith=f"{filters.action}."))
    if filters.since:
        kept.append(Q(at__gte=filters.since))
    if filters.until:
        kept.append(Q(at__lt=filters.until))
    return kept
