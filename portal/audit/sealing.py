"""Gives unsealed rows their place and digest. Two workers, a killed one and late commits do no harm (decision 0006)."""

import hashlib
import json
import logging
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from portal.audit import chain
from portal.audit.models import AuditEvent, Head

logger = logging.getLogger(__name__)
BATCH = 1_000  # rows in one transaction
SECONDS = 30.0  # below the time limit of a task
WRITE = """
    UPDATE audit_auditevent AS event
    SET position = seal.position, previous = seal.previous, digest = seal.digest,
        salts = seal.salts::jsonb, commitments = seal.commitments::jsonb
    FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[], %s::bytea[], %s::text[], %s::text[])
        AS seal(id, position, previous, digest, salts, commitments)
    WHERE event.id = seal.id AND event.position IS NULL AND event.digest IS NULL
"""


class Overtaken(Exception):
    """Rows were sealed or removed by somebody who did not hold the chain's lock; nothing of the batch is written."""


@dataclass(frozen=True, slots=True)
class Seal:
    id: uuid.UUID
    position: int
    previous: bytes
    digest: bytes
    salts: dict[str, str]
    commitments: dict[str, str]


def seal_all(seconds: float = SECONDS) -> int:
    """Seal what waits, a batch of each chain in turn, until nothing is left or the time is up; return how many rows."""
    end, sealed = time.monotonic() + seconds, 0
    waiting = list(AuditEvent.objects.unsealed().order_by().values_list("organization_id", flat=True).distinct())
    while waiting:
        longer = []
        for organization_id in waiting:
            if time.monotonic() > end:
                return sealed
            number = _try_batch(organization_id)
            sealed += number
            if number == BATCH:
                longer.append(organization_id)
        waiting = longer
    return sealed


def _try_batch(organization_id: uuid.UUID | None) -> int:
    """Seal a batch; a chain that can't go on holds up no other."""
    try:
        return seal_batch(organization_id)
    except (DatabaseError, Overtaken):
        logger.exception("audit chain %s could not be sealed", chain.name_of(organization_id))
        return 0


@transaction.atomic
def seal_batch(organization_id: uuid.UUID | None) -> int:
    """Seal up to ``BATCH`` rows of one chain; return how many. 0 also where another worker is at this chain."""
    if not _lock(organization_id):
        return 0
    waiting = AuditEvent.objects.unsealed().filter(organization_id=organization_id).order_by("id")[:BATCH]
    rows = [chain.plain(row) for row in chain.columns_of(waiting)]
    if rows:
        head = Head.objects.running().filter(organization_id=organization_id).first()
        seals = sealed_after(head, rows)
        _write(seals)
        _move_head(organization_id, head, seals[-1])
    return len(rows)


def sealed_after(head: Head | None, rows: Sequence[chain.Row]) -> list[Seal]:
    """Return the seals of rows that follow a head, in this order."""
    position, digest = (head.position, bytes(head.digest)) if head else (0, chain.GENESIS)
    seals = []
    for row in rows:
        salts = {name: secrets.token_bytes(chain.SALT) for name in chain.PERSONAL if row[name]}
        commitments = {name: chain.commitment(salt, row[name]) for name, salt in salts.items()}
        previous, position = digest, position + 1
        digest = chain.link(previous, position, chain.content_digest(row, commitments))
        kept = {name: salt.hex() for name, salt in salts.items()}
        seals.append(Seal(row["id"], position, previous, digest, kept, commitments))
    return seals


def _write(seals: Sequence[Seal]) -> None:
    columns: list[Any] = [
        [seal.id for seal in seals],
        [seal.position for seal in seals],
        [seal.previous for seal in seals],
        [seal.digest for seal in seals],
        [json.dumps(seal.salts) for seal in seals],
        [json.dumps(seal.commitments) for seal in seals],
    ]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, columns)
        if cursor.rowcount != len(seals):
            raise Overtaken(f"{cursor.rowcount} of {len(seals)} rows took their seal")


def _move_head(organization_id: uuid.UUID | None, head: Head | None, last: Seal) -> None:
    """Move the running head on; the first batch of a day keeps how it stood when the day of the last one ended."""
    now = timezone.now()
    if head is None:
        Head.objects.create(organization_id=organization_id, position=last.position, digest=last.digest, at=now)
        return
    if now.date() > head.at.date():
        kept = {"position": head.position, "digest": head.digest, "at": head.at}
        Head.objects.get_or_create(organization_id=organization_id, day=head.at.date(), defaults=kept)
    Head.objects.filter(id=head.id).update(position=last.position, digest=last.digest, at=now)


def _lock(organization_id: uuid.UUID | None) -> bool:
    """Take the chain until the transaction ends, by commit or by death; False where somebody has it."""
    digest = hashlib.sha256(f"audit chain {chain.name_of(organization_id)}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
        row = cursor.fetchone()
    return bool(row and row[0])
