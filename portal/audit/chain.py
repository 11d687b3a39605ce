"""What the digest of a sealed row covers. Pure: ``sealing`` writes it, ``verifying`` computes it anew (decision 0006).

digest = SHA-256(previous digest, position as 8 bytes, SHA-256(content)); before the first row it is 32 zero bytes.
"""

import datetime
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from portal.audit.models import AuditEvent

GENESIS = bytes(32)
SALT = 16  # bytes
PERSONAL = ("address", "target_name", "reason", "changes")  # what people typed, or what points at one
SEALING = ("position", "previous", "digest", "salts", "commitments")
COLUMNS = tuple(
    field.attname for field in AuditEvent._meta.concrete_fields if field.attname not in (*SEALING, "changes")
)
Row = dict[str, Any]


def columns_of(rows: QuerySet[AuditEvent]) -> QuerySet[AuditEvent, Row]:
    """Return the columns that ``plain`` takes; ``changes`` as the text that PostgreSQL stores, exact to the digit."""
    found: QuerySet[AuditEvent, Row] = rows.values(*COLUMNS, *SEALING, text=Cast("changes", TextField()))
    return found


def plain(row: Row) -> Row:
    """Bring a row of ``columns_of`` into the form that the rest of this module takes."""
    changes = row.pop("text")
    row["changes"] = "" if changes == "{}" else changes
    return row


def content_digest(row: Row, commitments: Mapping[str, str]) -> bytes:
    """Return what stands for all columns. Personal ones stand in it by their commitments.

    Empty columns are left out, so that a column that a later release adds leaves the digests of older rows as they are.
    """
    words = {
        name: _word(row[name])
        for name in (*COLUMNS, "changes")
        if row[name] is not None and row[name] != "" and name not in commitments
    }
    return hashlib.sha256(_canonical({"columns": words, "commitments": commitments})).digest()


def link(previous: bytes, position: int, content: bytes) -> bytes:
    """Return the digest of the row with this content at this position."""
    return hashlib.sha256(previous + position.to_bytes(8, "big") + content).digest()


def commitment(salt: bytes, value: str) -> str:
    """Return what stands for a personal value: without the salt nobody can try values against it."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


def falsified(row: Row) -> list[str]:
    """Return the personal columns whose value is not what was sealed. An erased one has neither value nor salt."""
    salts, sealed = _object(row["salts"]), _object(row["commitments"])
    there = [name for name in sealed if row.get(name) or name in salts]
    return [name for name in there if not _holds(salts.get(name), row.get(name), sealed[name])] + sorted(
        set(salts) - set(sealed)
    )


def erased(row: Row) -> int:
    """Return how many personal values of a row have been erased."""
    return len(_object(row["commitments"]).keys() - _object(row["salts"]).keys())


def _object(value: Any) -> dict[str, Any]:
    """Return an object as it is, and none where somebody wrote something else than sealing does."""
    return value if isinstance(value, dict) else {}


def _holds(salt: Any, value: Any, sealed: Any) -> bool:
    """Whether salt and value give the commitment. A salt of another length could borrow from the value."""
    try:
        key = bytes.fromhex(salt)
        return len(key) == SALT and key.hex() == salt and commitment(key, value) == sealed
    except (TypeError, ValueError, AttributeError):
        return False


def _word(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="microseconds")
    return value if isinstance(value, str) else str(value)


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def name_of(organization_id: uuid.UUID | None) -> str:
    """Return a word for a chain, for logs and locks."""
    return str(organization_id) if organization_id else "platform"
