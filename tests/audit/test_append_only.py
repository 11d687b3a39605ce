"""What the database itself refuses to every ordinary session, and what it lets pass: sealing once, and erasure."""

import random
import uuid
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from portal.audit import chain, erasing, sealing, verifying
from portal.audit.models import AuditEvent, Head
from tests.audit import forging

pytestmark = pytest.mark.django_db
KEY = uuid.UUID(int=7)
CONTENT = [name for name in (*chain.COLUMNS, "changes") if name != "id"]


def refused(sql: str, *values: Any) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, values)
    except ProgrammingError as error:
        return "is append-only" in str(error)
    return False


@pytest.mark.parametrize("sealed", [False, True])
def test_content_is_never_changed_and_no_row_deleted(sealed: bool) -> None:
    forging.write(2, KEY)
    if sealed:
        sealing.seal_all()
    for column in CONTENT:
        value = "'{}'" if column == "changes" else "NULL" if column.endswith("_id") else "'2001-01-01'"
        assert refused(f'UPDATE audit_auditevent SET "{column}" = {value}'), column
    assert refused("DELETE FROM audit_auditevent")
    with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic():
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.count() == 2


def test_a_seal_is_set_once() -> None:
    forging.write(2, KEY)
    sealing.seal_all()
    for column, value in (("position", 9), ("digest", bytes(32)), ("previous", bytes(32)), ("commitments", "{}")):
        assert refused(f"UPDATE audit_auditevent SET {column} = %s WHERE position = 2", value), column
    assert refused("UPDATE audit_auditevent SET position = NULL, digest = NULL, previous = NULL WHERE position = 2")
    assert refused("UPDATE audit_auditevent SET salts = '{}' WHERE position = 2")
    row = forging.event(1, KEY, random.Random(1))
    row.position, row.digest = 3, bytes(32)
    with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic():
        row.save(force_insert=True)


def test_heads_only_go_on() -> None:
    forging.write(2, KEY)
    sealing.seal_all()
    assert refused("DELETE FROM audit_head")
    assert refused("UPDATE audit_head SET position = 1")
    assert refused("UPDATE audit_head SET digest = %s", bytes(32))
    forging.write(1, KEY)
    sealing.seal_all()
    assert Head.objects.get().position == 3
    assert refused("UPDATE audit_head SET day = '2026-01-01', position = 4")


def test_an_erased_address_leaves_the_chain_whole_and_its_commitment() -> None:
    forging.write(3, KEY)
    first = AuditEvent.objects.order_by("id").first()
    assert first is not None
    assert erasing.erase_addresses(first.actor_id) == 1  # type: ignore[arg-type]
    first.refresh_from_db()
    assert first.address == ""
    assert set(first.salts) == set(first.commitments) - {"address"}
    assert first.reason == "because 0"
    report = verifying.verify_chain(KEY)
    assert (report.flaws, report.erased) == ([], 1)
    assert erasing.erase_addresses(first.actor_id) == 0  # type: ignore[arg-type]


def test_where_somebody_tried_in_vain_at_an_account_goes_with_it() -> None:
    person, other = uuid.uuid4(), uuid.uuid4()
    for target in (person, other, None):
        AuditEvent.objects.create(
            actor_kind="anonymous", action="user.sign_in", target_kind="user", target_id=target, address="192.0.2.7"
        )
    assert erasing.erase_addresses(person) == 1
    assert AuditEvent.objects.get(target_id=person).address == ""
    assert set(AuditEvent.objects.exclude(target_id=person).values_list("address", flat=True)) == {"192.0.2.7"}
    assert verifying.verify_chain(None).flaws == []


def test_an_erased_address_that_somebody_fills_again_is_found() -> None:
    forging.write(2, KEY)
    sealing.seal_all()
    row = AuditEvent.objects.get(position=1)
    erasing.erase_addresses(row.actor_id)  # type: ignore[arg-type]
    assert refused("UPDATE audit_auditevent SET address = %s WHERE position = 1", row.address)
    with forging.forger() as cursor:
        forging.set_column(cursor, KEY, 1, "address", row.address)
    assert forging.found(KEY) == {("changed", 1)}


def test_an_erasure_of_half_is_refused() -> None:
    forging.write(1, KEY)
    sealing.seal_all()
    assert refused("UPDATE audit_auditevent SET address = ''")
    assert refused("UPDATE audit_auditevent SET salts = salts - 'address'")
    assert refused("UPDATE audit_auditevent SET address = 'x', salts = salts - 'address'")
    assert refused("UPDATE audit_auditevent SET address = '', reason = '', salts = salts - 'address'")
    assert refused("UPDATE audit_auditevent SET address = '', salts = (salts - 'address') || '{\"reason\": \"0\"}'")
    assert not refused("UPDATE audit_auditevent SET address = '', reason = '', salts = salts - 'address' - 'reason'")
    assert forging.found(KEY) == set()
