"""Among 10,000 rows every damaged one is named, and nothing else."""

import random
import time
import uuid
from typing import Any

import pytest

from portal.audit import chain, heads, sealing, verifying
from portal.audit.models import AuditEvent
from tests.audit import forging

pytestmark = pytest.mark.django_db
ROWS = 10_000
KEY = uuid.UUID(int=7)
SEALED = ("previous", "digest", "salts", "commitments")
EVERY_COLUMN = tuple(name for name in (*chain.COLUMNS, "changes") if name != "organization_id") + SEALED


def sealed(number: int, key: uuid.UUID | None = KEY) -> None:
    forging.write(number, key)
    assert sealing.seal_all(300) == number


def digest_at(position: int, key: uuid.UUID | None = KEY) -> bytes:
    return bytes(AuditEvent.objects.get(organization_id=key, position=position).digest)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 7))])
def test_among_10000_rows_every_damaged_one_is_named_and_nothing_else(seed: int) -> None:
    begun = time.perf_counter()
    forging.write(ROWS, KEY, seed)
    written = time.perf_counter()
    assert sealing.seal_all(300) == ROWS
    sealing_took = time.perf_counter() - written
    assert forging.found(KEY) == set()
    chance = random.Random(seed)
    places = list(range(1, ROWS - 50))
    chance.shuffle(places)
    expected: set[tuple[str, int]] = set()

    def some(number: int, sort: str) -> list[int]:
        chosen = [places.pop() for _ in range(number)]
        expected.update((sort, place) for place in chosen)
        return chosen

    resealed = some(20, "resealed")
    for place in resealed:  # who reseals a row and damages the next as well leaves nobody to tell but the heads
        places[:] = [other for other in places if other != place + 1]
    resealed = [place for place in resealed if place + 1 not in resealed]
    expected = {("resealed", place) for place in resealed}
    with forging.forger() as cursor:
        for column in EVERY_COLUMN:
            for place in some(12, "changed"):
                forging.change(cursor, KEY, place, column)
        for place in resealed:
            forging.change(cursor, KEY, place, "reason")
            forging.reseal(cursor, KEY, place)
        forging.remove(cursor, KEY, some(200, "removed"))
        moved = iter(some(160, "reordered"))
        for number, (one, two) in enumerate(zip(moved, moved, strict=True)):
            forging.swap(cursor, KEY, one, two, seals=bool(number % 2))
        for place in some(10, "placeless"):
            forging.set_column(cursor, KEY, place, "position", None)
        for place in some(10, "changed"):  # somebody else's row in its place
            forging.remove(cursor, KEY, [place])
            forging.insert(cursor, KEY, place)
        for number, place in enumerate(some(5, "gone far")):
            forging.set_column(cursor, KEY, place, "position", 2_000_000 + 3 * number)
            expected ^= {("gone far", place), ("reordered", 2_000_000 + 3 * number)}
        for place in (ROWS + 1, ROWS + 2, 40_000):
            forging.insert(cursor, KEY, place)
            expected.add(("inserted", place))
        cut = range(ROWS - 19, ROWS + 1)
        forging.remove(cursor, KEY, cut)
        expected |= {("cut off", place) for place in cut}
    now = time.perf_counter()
    got = forging.found(KEY)
    print(f"{ROWS} rows: sealed in {sealing_took:.2f} s, verified in {time.perf_counter() - now:.2f} s with "  # noqa: T201
          f"{len(expected)} damaged, all in {time.perf_counter() - begun:.1f} s")  # fmt: skip
    assert got == expected


@pytest.mark.parametrize("column", EVERY_COLUMN)
def test_a_change_of_each_column_is_found(column: str) -> None:
    sealed(5)
    with forging.forger() as cursor:
        for place in (1, 3, 5):
            forging.change(cursor, KEY, place, column)
    assert forging.found(KEY) == {("changed", 1), ("changed", 3), ("changed", 5)}


def test_a_row_given_to_another_organization_is_missing_here_and_too_much_there() -> None:
    sealed(5)
    sealed(3, None)
    with forging.forger() as cursor:
        forging.set_column(cursor, KEY, 5, "organization_id", None)
    assert forging.found(KEY) == {("cut off", 5)}
    assert forging.found(None) == {("inserted", 5)}


def test_an_emptied_or_filled_column_is_found() -> None:
    sealed(6)
    AuditEvent.objects.create(organization_id=KEY, actor_kind="system", action="a", target_kind="b")
    sealing.seal_all()
    with forging.forger() as cursor:
        forging.set_column(cursor, KEY, 1, "address", "")
        forging.set_column(cursor, KEY, 2, "changes", "{}")
        forging.set_column(cursor, KEY, 3, "project_id", None)
        forging.set_column(cursor, KEY, 4, "salts", "{}")
        forging.set_column(cursor, KEY, 5, "salts", "[]")
        forging.set_column(cursor, KEY, 6, "commitments", "[1]")
        forging.set_column(cursor, KEY, 7, "target_name", "{}")
    assert forging.found(KEY) == {("changed", place) for place in range(1, 8)}


def test_the_column_that_lost_its_value_is_named() -> None:
    sealed(3)
    with forging.forger() as cursor:
        forging.set_column(cursor, KEY, 2, "address", "203.0.113.9")
    (flaw,) = verifying.verify_chain(KEY).flaws
    row = AuditEvent.objects.get(organization_id=KEY, position=2)
    assert (flaw.sort, flaw.first, flaw.row, flaw.words) == ("changed", 2, row.id, "by its address")


@pytest.mark.parametrize("seals", [False, True])
def test_rows_that_changed_places_are_found_far_and_near(seals: bool) -> None:
    sealed(200)
    with forging.forger() as cursor:
        for one, two in ((1, 200), (50, 51), (100, 150)):
            forging.swap(cursor, KEY, one, two, seals=seals)
    assert forging.found(KEY) == {("reordered", place) for place in (1, 200, 50, 51, 100, 150)}


def test_a_sealed_row_without_a_place_is_told_where_it_belongs() -> None:
    sealed(5)
    with forging.forger() as cursor:
        forging.set_column(cursor, KEY, 4, "position", None)
        forging.set_column(cursor, KEY, 2, "position", None)
        cursor.execute("UPDATE audit_auditevent SET action = 'x' WHERE position IS NULL AND reason = 'because 1'")
    assert forging.found(KEY) == {("placeless", 4), ("removed", 2), ("placeless", 0)}


def test_a_removed_row_whose_place_was_closed_is_found() -> None:
    sealed(60)
    with forging.forger() as cursor:
        forging.remove(cursor, KEY, [20, 21])
        forging.shift(cursor, KEY, 22, -2)
        forging.change(cursor, KEY, 40, "action")
    assert forging.found(KEY) == {
        ("removed", 20),
        ("removed", 21),
        ("changed", 42),
        *(("reordered", place) for place in range(20, 59) if place != 40),
    }


def test_a_row_that_lost_its_seal_is_missing_also_when_it_is_sealed_again() -> None:
    sealed(3)
    with forging.forger() as cursor:
        cursor.execute("UPDATE audit_auditevent SET position = NULL, digest = NULL, previous = NULL WHERE position = 2")
    assert forging.found(KEY) == {("removed", 2)}
    assert sealing.seal_all() == 1
    assert forging.found(KEY) == {("removed", 2)}


def test_a_row_put_between_others_is_found() -> None:
    sealed(60)
    with forging.forger() as cursor:
        forging.shift(cursor, KEY, 31, 1)
        forging.insert(cursor, KEY, 31, digest_at(30), sealed=True)
    assert forging.found(KEY) == {("inserted", 31), *(("reordered", place) for place in range(32, 62))}


def test_a_row_put_at_the_end_with_the_right_digest_is_found_by_the_head() -> None:
    sealed(10)
    with forging.forger() as cursor:
        forging.insert(cursor, KEY, 11, digest_at(10), sealed=True)
    assert forging.found(KEY) == {("inserted", 11)}


def test_a_row_with_an_old_date_is_warned_of() -> None:
    sealed(3)
    late = AuditEvent.objects.create(organization_id=KEY, actor_kind="user", action="a", target_kind="b")
    with forging.forger() as cursor:
        cursor.execute("UPDATE audit_auditevent SET at = at - interval '3 days' WHERE id = %s", [late.id])
    assert verifying.verify_chain(KEY).warnings != []  # not sealed for days
    sealing.seal_all()
    report = verifying.verify_chain(KEY)
    assert report.flaws == []
    assert "row 4 is older than the one before by" in report.warnings[0]


def test_cut_off_rows_are_found_by_the_head_of_the_database_or_by_a_file() -> None:
    sealed(10)
    marks = heads.current()
    with forging.forger() as cursor:
        forging.remove(cursor, KEY, [9, 10])
        assert forging.found(KEY) == {("cut off", 9), ("cut off", 10)}
        cursor.execute("UPDATE audit_head SET position = 8, digest = %s", [digest_at(8)])
    assert forging.found(KEY) == set()
    assert forging.found(KEY, *marks) == {("cut off", 9), ("cut off", 10)}
    sealed(5)  # life goes on in the place of what was cut off
    assert forging.found(KEY) == set()
    assert forging.found(KEY, *marks) == {("resealed", 10)}


def test_a_chain_that_is_gone_as_a_whole_is_found_by_a_file() -> None:
    sealed(4)
    marks = heads.current()
    with forging.forger() as cursor:
        cursor.execute("DELETE FROM audit_auditevent")
        cursor.execute("DELETE FROM audit_head")
    assert list(verifying.verify()) == []
    (report,) = verifying.verify(marks)
    assert [(flaw.sort, flaw.first, flaw.last) for flaw in report.flaws] == [("cut off", 1, 4)]


@pytest.mark.parametrize("also_the_heads", [False, True])
def test_a_forger_who_seals_the_whole_chain_anew_is_found(also_the_heads: bool) -> None:
    sealed(30)
    marks = heads.current()
    with forging.forger() as cursor:
        forging.change(cursor, KEY, 12, "outcome")
        digest = digest_at(11)
        for place in range(12, 31):
            digest = forging.reseal(cursor, KEY, place, digest)
        if also_the_heads:
            cursor.execute("UPDATE audit_head SET digest = %s", [digest])
    assert forging.found(KEY) == (set() if also_the_heads else {("resealed", 30)})
    assert forging.found(KEY, *marks) == {("resealed", 30)}


def test_an_older_head_narrows_down_where_the_forging_began() -> None:
    sealed(10)
    with forging.forger() as cursor:
        cursor.execute("UPDATE audit_head SET at = at - interval '1 day'")
    sealed(10)
    with forging.forger() as cursor:
        digest = digest_at(14)
        forging.change(cursor, KEY, 15, "outcome")
        for place in range(15, 21):
            digest = forging.reseal(cursor, KEY, place, digest)
    (flaw,) = verifying.verify_chain(KEY).flaws
    assert "11 to 20 may have been" in flaw.words


def test_a_forged_first_row_and_a_chain_with_another_beginning_are_found() -> None:
    sealed(5)
    with forging.forger() as cursor:
        forging.reseal(cursor, KEY, 1, bytes([1]) * 32)
    assert forging.found(KEY) == {("resealed", 1)}


def test_lost_heads_are_found() -> None:
    sealed(4)
    with forging.forger() as cursor:
        cursor.execute("DELETE FROM audit_head")
    assert forging.found(KEY) == {("inserted", place) for place in range(1, 5)}


def test_positions_beyond_all_reason_take_no_time() -> None:
    sealed(5)
    with forging.forger() as cursor:
        forging.set_column(cursor, KEY, 3, "position", 2**62)
        forging.insert(cursor, KEY, 2**40, digest_at(5), sealed=True)
    flaws = verifying.verify_chain(KEY).flaws
    assert ("reordered", 2**62) in {(flaw.sort, flaw.first) for flaw in flaws}
    assert ("removed", 6, 2**40 - 1) in {(flaw.sort, flaw.first, flaw.last) for flaw in flaws}


def test_chains_are_told_apart(django_assert_num_queries: Any) -> None:
    others = [uuid.UUID(int=number) for number in range(1, 4)]
    for key in (*others, None):
        forging.write(3, key)
    sealing.seal_all()
    reports = list(verifying.verify())
    assert {report.organization_id for report in reports} == {*others, None}
    assert [(report.rows, report.sealed_to, report.flaws) for report in reports] == [(3, 3, [])] * 4
    with forging.forger() as cursor:
        forging.remove(cursor, None, [2])
    assert [report.organization_id for report in verifying.verify() if report.flaws] == [None]
