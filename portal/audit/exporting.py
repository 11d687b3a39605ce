"""Reads a long part of the log a batch at a time, so that a file of it needs neither memory nor a long transaction."""

import uuid
from collections.abc import Iterator

from django.db.models import QuerySet

from portal.audit.models import AuditEvent

MOST = 50_000  # rows of one file; the next one begins where it ends
BATCH = 1_000
COLUMNS = (
    "id",
    "at",
    "organization",
    "project",
    "actor_kind",
    "actor_id",
    "actor",
    "token",
    "action",
    "target_kind",
    "target_id",
    "target",
    "outcome",
    "changes",
    "reason",
    "address",
    "request_id",
)


def in_batches(rows: QuerySet[AuditEvent], after: uuid.UUID | None = None, most: int = MOST) -> Iterator[AuditEvent]:
    """Yield rows from the newest on, or from the one after ``after``, up to ``most``."""
    ordered, last, left = rows.order_by("-id"), after, most
    while left > 0:
        found = list((ordered.filter(id__lt=last) if last else ordered)[: min(BATCH, left)])
        yield from found
        if len(found) < BATCH:
            return
        last, left = found[-1].id, left - len(found)


def last_of_file(rows: QuerySet[AuditEvent], after: uuid.UUID | None = None, most: int = MOST) -> AuditEvent | None:
    """Return the row that a file ends with where more come after it; None where one file holds all."""
    ordered = rows.order_by("-id")
    found = list((ordered.filter(id__lt=after) if after else ordered).only("id")[most - 1 : most + 1])
    return found[0] if len(found) == 2 else None
