"""Reads of the audit log. Who may see which organizations and projects is said by the caller (``projects.audit``)."""

import datetime
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from portal.audit.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Filters:
    """What to keep; None keeps all."""

    target_id: uuid.UUID | None = None
    actor_id: uuid.UUID | None = None
    action: str | None = None  # exact, or the part before the dot
    outcome: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


def events_in(
    organizations: Collection[uuid.UUID] | QuerySet[AuditEvent], projects: object, filters: Filters
) -> QuerySet[AuditEvent]:
    raise NotImplementedError
