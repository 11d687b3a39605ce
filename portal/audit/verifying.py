"""Reports on every chain: each row that was changed, removed, moved, cut off or put in (decision 0006).

Called by ``manage.py verifyaudit``. Reads rows once, by a server-side cursor; in memory is only what is wrong.
"""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from portal.audit import chain, heads
from portal.audit.heads import Mark
from portal.audit.models import AuditEvent, Head
from portal.audit.placing import Flaw
from portal.audit.walking import Walk

LATE = datetime.timedelta(minutes=5)  # unsealed for longer: does the worker run?
AT_ONCE = 2_000  # rows from the cursor


@dataclass(slots=True)
class Report:
    """What was found in one chain. ``erased``: personal values that are gone by erasure; a warning is no flaw."""

    organization_id: uuid.UUID | None
    rows: int = 0
    sealed_to: int = 0
    unsealed: int = 0
    erased: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def verify(marks: Iterable[Mark] = (), only: uuid.UUID | None = None) -> Iterator[Report]:
    """Return a report on each chain, or on that of ``only``. ``marks``: what a head file kept elsewhere says."""
    noted: dict[uuid.UUID | None, list[Mark]] = defaultdict(list)
    for mark in marks:
        noted[mark.organization_id].append(mark)
    chains = {only} if only else _chains() | set(noted)
    for organization_id in sorted(chains, key=str):
        yield verify_chain(organization_id, noted[organization_id])


def verify_chain(organization_id: uuid.UUID | None, noted: Iterable[Mark] = ()) -> Report:
    """Walk one chain. Heads are read before the rows, so that what is sealed meanwhile is only more than they say."""
    walk = Walk([*heads.of_chain(organization_id), *noted])
    for row in _sealed(organization_id):
        walk.take(row)
    flaws = [*walk.finish(), *_beyond_the_head(organization_id, walk.last.place)]
    report = Report(organization_id, walk.rows, walk.last.place, erased=walk.erased, warnings=walk.warnings)
    report.flaws = sorted(flaws, key=lambda flaw: (flaw.first, flaw.sort))
    _count_unsealed(report)
    return report


def _chains() -> set[uuid.UUID | None]:
    of_rows = AuditEvent.objects.order_by().values_list("organization_id", flat=True)
    return set(of_rows.union(Head.objects.order_by().values_list("organization_id", flat=True)))


def _sealed(organization_id: uuid.UUID | None) -> Iterator[chain.Row]:
    """Return sealed rows by position, then those that have a digest and no position."""
    rows = AuditEvent.objects.filter(organization_id=organization_id)
    placed = rows.filter(position__isnull=False).order_by("position")
    placeless = rows.filter(position__isnull=True, digest__isnull=False).order_by("id")
    with transaction.atomic():  # a cursor outside of one would copy all rows first
        for found in (placed, placeless):
            for row in chain.columns_of(found).iterator(chunk_size=AT_ONCE):
                yield chain.plain(row)


def _beyond_the_head(organization_id: uuid.UUID | None, reached: int) -> list[Flaw]:
    """Return rows that the sealer does not know of: it moves the head in the transaction that seals."""
    head = Head.objects.running().filter(organization_id=organization_id).first()
    known = head.position if head else 0
    words = "there is no head of these rows: put in by something else, or the heads were removed"
    return [Flaw("inserted", known + 1, reached, words=words)] if reached > known else []


def _count_unsealed(report: Report) -> None:
    waiting = AuditEvent.objects.unsealed().filter(organization_id=report.organization_id).order_by()
    found = waiting.aggregate(number=Count("id"), oldest=Min("at"))
    report.unsealed = found["number"]
    if found["oldest"] and timezone.now() - found["oldest"] > LATE:
        report.warnings.append(f"the oldest unsealed row is of {found['oldest']:%Y-%m-%d %H:%M:%S}: does a worker run?")
