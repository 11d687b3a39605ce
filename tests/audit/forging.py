"""Somebody with all rights over the database: writes many rows, and damages sealed ones past every guard."""

import datetime
import hashlib
import random
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.utils import timezone

from portal.audit import chain, verifying
from portal.audit.models import AuditEvent

TABLES = ("audit_auditevent", "audit_head")
PLACE = "organization_id IS NOT DISTINCT FROM %s AND position = %s"
FAR = 1_000_000_000


def event(number: int, organization_id: uuid.UUID | None, chance: random.Random) -> AuditEvent:
    """Return a row like those that actions write, all columns filled."""
    made = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(4)]
    return AuditEvent(
        at=timezone.now(),
        organization_id=organization_id,
        project_id=made[0],
        actor_kind=chance.choice(("user", "service_account")),
        actor_id=made[1],
        token_id=made[2],
        action=f"service.act{number % 7}",
        target_kind="service",
        target_id=made[3],
        target_name=f"shop-{number}",
        changes={"plan": ["dev-2", f"standard-{number}"], "ratio": [0.1, 1.25], "note": ["ä'\"\\", None]},
        reason=f"because {number}",
        address=f"192.0.2.{number % 256}",
        request_id=f"request-{number}",
    )


def write(number: int, organization_id: uuid.UUID | None = None, seed: int = 1) -> None:
    """Write rows that nobody has sealed yet."""
    chance = random.Random(seed)
    AuditEvent.objects.bulk_create(event(n, organization_id, chance) for n in range(number))


@contextmanager
def forger() -> Iterator[Any]:
    """Give a cursor for which the database keeps none of its guards."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield cursor
        finally:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, uuid.UUID):
        return uuid.uuid4()
    if isinstance(value, datetime.datetime):
        return value + datetime.timedelta(microseconds=1)
    if isinstance(value, bytes):
        return hashlib.sha256(value).digest()
    return f"{value}."


def set_column(cursor: Any, key: uuid.UUID | None, position: int, column: str, value: Any) -> None:
    cursor.execute(f'UPDATE audit_auditevent SET "{column}" = %s WHERE {PLACE}', [value, key, position])
    assert cursor.rowcount == 1


def change(cursor: Any, key: uuid.UUID | None, position: int, column: str) -> None:
    """Change one column as little as can be."""
    cursor.execute(f'SELECT "{column}" FROM audit_auditevent WHERE {PLACE}', [key, position])
    value = cursor.fetchone()[0]
    if column in ("changes", "salts", "commitments"):
        text = value if isinstance(value, str) else ""
        digit = next(place for place in reversed(range(len(text))) if text[place].isdigit())
        set_column(cursor, key, position, column, f"{text[:digit]}{(int(text[digit]) + 1) % 10}{text[digit + 1 :]}")
    else:
        set_column(cursor, key, position, column, other(bytes(value) if isinstance(value, memoryview) else value))


def remove(cursor: Any, key: uuid.UUID | None, positions: Iterable[int]) -> None:
    cursor.execute(
        "DELETE FROM audit_auditevent WHERE organization_id IS NOT DISTINCT FROM %s AND position = ANY(%s)",
        [key, list(positions)],
    )


def swap(cursor: Any, key: uuid.UUID | None, one: int, two: int, *, seals: bool = False) -> None:
    """Let two rows change places, with their seals or so that each gets the other's."""
    columns = ("position", "previous", "digest") if seals else ("position",)
    found = {}
    for position in (one, two):
        cursor.execute(f"SELECT id, {', '.join(columns)} FROM audit_auditevent WHERE {PLACE}", [key, position])
        found[position] = cursor.fetchone()
    move = f"UPDATE audit_auditevent SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s"
    set_column(cursor, key, one, "position", FAR)
    cursor.execute(move, [*found[one][1:], found[two][0]])
    cursor.execute(move, [*found[two][1:], found[one][0]])


def insert(cursor: Any, key: uuid.UUID | None, position: int, previous: bytes = b"", *, sealed: bool = False) -> bytes:
    """Put a row in, with a digest of its own making or, ``sealed``, with the right one; return it."""
    row = event(position, key, random.Random(position))
    row.position, row.previous, row.digest = position, previous, bytes(32)
    row.save(force_insert=True)
    return reseal(cursor, key, position, previous) if sealed else row.digest


def reseal(cursor: Any, key: uuid.UUID | None, position: int, previous: bytes | None = None) -> bytes:
    """Give a row the digest that fits what it says now, after another row where ``previous`` is given."""
    rows = chain.columns_of(AuditEvent.objects.filter(organization_id=key, position=position))
    row = chain.plain(rows.get())
    for name, salt in row["salts"].items():
        row["commitments"][name] = chain.commitment(bytes.fromhex(salt), row[name])
    before = bytes(row["previous"]) if previous is None else previous
    digest = chain.link(before, position, chain.content_digest(row, row["commitments"]))
    AuditEvent.objects.filter(id=row["id"]).update(previous=before, digest=digest, commitments=row["commitments"])
    return digest


def shift(cursor: Any, key: uuid.UUID | None, since: int, by: int) -> None:
    """Give all rows from a position on another position."""
    where = "organization_id IS NOT DISTINCT FROM %s AND position >= %s"
    for base, step in ((since, FAR), (FAR, by - FAR)):
        cursor.execute(f"UPDATE audit_auditevent SET position = position + %s WHERE {where}", [step, key, base])


def found(key: uuid.UUID | None, *marks: Any) -> set[tuple[str, int]]:
    """Return what verifying finds wrong, a pair for each place."""
    flaws = verifying.verify_chain(key, marks).flaws
    places = [(flaw.sort, place) for flaw in flaws for place in range(flaw.first, flaw.last + 1)]
    assert len(places) == len(set(places)), "a place is named twice"
    return set(places)
