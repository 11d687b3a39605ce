"""The form of digests, pinned: rows that have been sealed can't be sealed again, so it never changes."""

import datetime
import hashlib
import json
import uuid
from typing import Any

import pytest

from portal.audit import chain, sealing, verifying
from portal.audit.models import AuditEvent
from tests.audit import forging

KEY = uuid.UUID("00000000-0000-7000-8000-000000000007")
AT = datetime.datetime(2026, 11, 25, 14, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


def row(**more: Any) -> chain.Row:
    empty = dict.fromkeys(chain.COLUMNS, None)
    return {**empty, "id": KEY, "at": AT, "action": "ä", "address": "192.0.2.7", "changes": "", "reason": "", **more}


def test_the_form_of_a_digest_is_this_and_stays_so() -> None:
    sealed = chain.commitment(bytes(16), "192.0.2.7")
    assert sealed == hashlib.sha256(bytes(16) + b"192.0.2.7").hexdigest()
    columns = f'{{"action":"\\u00e4","at":"2026-11-25T12:00:00.000000+00:00","id":"{KEY}"}}'
    text = f'{{"columns":{columns},"commitments":{{"address":"{sealed}"}}}}'
    content = chain.content_digest(row(), {"address": sealed})
    assert content == hashlib.sha256(text.encode()).digest()
    assert chain.link(bytes(32), 258, content) == hashlib.sha256(bytes(38) + b"\x01\x02" + content).digest()


@pytest.mark.parametrize("empty", ["", None])
def test_a_column_of_a_later_release_leaves_older_digests_as_they_are(
    monkeypatch: pytest.MonkeyPatch, empty: str | None
) -> None:
    before = chain.content_digest(row(), {})
    monkeypatch.setattr(chain, "COLUMNS", (*chain.COLUMNS, "later"))
    assert chain.content_digest(row(later=empty), {}) == before
    assert chain.content_digest(row(later="x"), {}) != before


@pytest.mark.django_db
def test_a_digest_can_be_computed_from_what_an_export_says() -> None:
    """Without any code of the portal: what an auditor's own script does."""
    forging.write(3, KEY)
    sealing.seal_all()
    previous = bytes(32)
    for found in chain.columns_of(AuditEvent.objects.order_by("position")):
        columns = {
            name: value.astimezone(datetime.UTC).isoformat(timespec="microseconds") if name == "at" else str(value)
            for name, value in found.items()
            if name not in (*chain.SEALING, "text", *found["commitments"]) and value
        }
        body = {"columns": columns, "commitments": found["commitments"]}
        content = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()
        previous = hashlib.sha256(previous + found["position"].to_bytes(8, "big") + content).digest()
        assert bytes(found["digest"]) == previous
        for name, value in (("address", found["address"]), ("changes", found["text"])):
            opened = hashlib.sha256(bytes.fromhex(found["salts"][name]) + value.encode()).hexdigest()
            assert opened == found["commitments"][name]


@pytest.mark.django_db
def test_a_salt_does_not_borrow_from_its_value_and_none_comes_by_itself() -> None:
    forging.write(3, KEY)
    sealing.seal_all()
    salts = AuditEvent.objects.get(position=1).salts
    with forging.forger() as cursor:
        longer = json.dumps({**salts, "address": salts["address"] + b"192.".hex()})
        forging.set_column(cursor, KEY, 1, "salts", longer)
        forging.set_column(cursor, KEY, 1, "address", "0.2.0")
        cursor.execute('UPDATE audit_auditevent SET salts = salts || \'{"request_id": "00"}\' WHERE position = 2')
        upper = json.dumps({**AuditEvent.objects.get(position=3).salts, "reason": "AB" * 16})
        forging.set_column(cursor, KEY, 3, "salts", upper)
    assert [(flaw.sort, flaw.words) for flaw in verifying.verify_chain(KEY).flaws] == [
        ("changed", "by its address"),
        ("changed", "by its request_id"),
        ("changed", "by its reason"),
    ]
