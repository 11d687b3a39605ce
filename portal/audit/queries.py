"""Reads of the audit log. Who may see which organizations and projects is the caller's to say (``projects.audit``)."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet

from portal.audit.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Filters:
    """What to keep; None keeps all. ``action`` is exact, or the part before its dot."""

    organization_id: uuid.UUID | None = None
    project_id: uuid.UUID | None = None
    target_id: uuid.UUID | None = None
    actor_id: uuid.UUID | None = None
    action: str | None = None
    outcome: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """What somebody may read: all of some organizations, all of some projects, and what they did to their account."""

    organizations: QuerySet[Any, Model]
    projects: QuerySet[Any, Model]
    person: uuid.UUID | None


def events_for(audience: Audience, filters: Filters) -> QuerySet[AuditEvent]:
    """Return the events that the audience may read and the filters keep, newest first."""
    own = Q(organization_id=None, actor_id=audience.person) if audience.person else Q(pk__in=[])
    visible = Q(organization_id__in=audience.organizations.values("id")) | Q(
        project_id__in=audience.projects.values("id")
    )
    return AuditEvent.objects.filter(visible | own).filter(*_kept(filters)).order_by("-id")


def _kept(filters: Filters) -> list[Q]:
    exact = {
        name: value
        for name in ("organization_id", "project_id", "target_id", "actor_id", "outcome")
        if (value := getattr(filters, name)) is not None
    }
    kept = [Q(**exact)] if exact else []
    if filters.action:
        kept.append(Q(action=filters.action) | Q(action__startswith=f"{filters.action}."))
    if filters.since:
        kept.append(Q(at__gte=filters.since))
    if filters.until:
        kept.append(Q(at__lt=filters.until))
    return kept
