"""What a service is charged, from its history: to the second, by the book of the day, and nothing twice or lost."""

import datetime
import itertools
import random
from decimal import Decimal

import pytest

from apps.billing.rates import PriceMissing
from apps.billing.usage import Charge, Mark, charges, intervals, on_the_line
from tests.billing.conftest import RATES, book_of
from tests.resources.doubles import TOY

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
MONTH = 31 * 86400
BOOK = book_of()
RISE = book_of({**RATES, ("vcpu-hour", "", "", ""): Decimal("0.04")}, START + datetime.timedelta(days=10))
COMPUTE, DISK = Decimal("0.060"), Decimal("0.001")  # an hour of standard-4, and of a GiB
SEEDS = range(60)


def at(seconds: float) -> datetime.datetime:
    return START + datetime.timedelta(seconds=seconds)


def charged(history: list[Mark], begins: float, ends: float, *books: object) -> list[Charge]:
    sold_by = list(books) or [BOOK]
    return charges(TOY, history, sold_by, region="", begins=at(begins), ends=at(ends))  # type: ignore[arg-type]


def total(parts: list[Charge]) -> Decimal:
    return sum((part.amount for part in parts), Decimal(0))


def quantities(parts: list[Charge]) -> dict[tuple[str, Decimal], Decimal]:
    """Return what is summed on a line: exact numbers, whatever a division does to amounts."""
    found: dict[tuple[str, Decimal], Decimal] = {}
    for part in parts:
        key = (part.meter.slug, part.unit_price)
        found[key] = found.get(key, Decimal(0)) + part.quantity
    return found


def random_history(chance: random.Random) -> list[Mark]:
    """Return up to a dozen changes at any microsecond, oldest first, some of them in one second."""
    moments = [chance.uniform(-MONTH, 2 * MONTH) for _count in range(chance.randint(1, 11))]
    moments += [moments[0] + 0.2] if chance.random() < 0.3 else []
    marks = [
        Mark(
            at(moment),
            chance.choice([plan.slug for plan in TOY.plans]),
            running=chance.random() < 0.7,
            spec={"disk_gib": chance.choice([None, 5, 40])},
            tags={"team": chance.choice("ab")},
        )
        for moment in sorted(moments)
    ]
    if chance.random() < 0.4:
        marks.append(Mark(at(max(moments) + 1), "dev-2", running=False, present=False))
    return marks


def test_an_hour_costs_the_hourly_price_and_a_second_its_share() -> None:
    history = [Mark(START, "standard-4", running=True)]
    assert total(charged(history, 0, 3600)) == COMPUTE + 20 * DISK
    assert quantities(charged(history, 0, 1)) == {
        ("instance-seconds", COMPUTE): 1,
        ("storage-gib-seconds", DISK): 20,
    }
    assert charged(history, 0, 0) == []
    assert charged(history, -7200, 0) == []


def test_stopped_pays_storage_only_and_gone_pays_nothing() -> None:
    history = [
        Mark(at(0), "standard-4", running=True),
        Mark(at(3600), "standard-4", running=False),
        Mark(at(7200), "standard-4", running=False, present=False),
    ]
    assert total(charged(history, 3600, 7200)) == 20 * DISK
    assert {part.meter.component for part in charged(history, 3600, 7200)} == {"storage"}
    assert charged(history, 7200, MONTH) == []
    assert total(charged(history, 0, MONTH)) == COMPUTE + 40 * DISK


def test_a_change_of_plan_disk_or_tags_counts_from_its_second_on() -> None:
    history = [
        Mark(at(0), "dev-2", running=True, tags={"team": "a"}),
        Mark(at(1800.9), "standard-4", running=True, spec={"disk_gib": 40}, tags={"team": "b"}),
    ]
    found = list(intervals(history, at(0), at(3600)))
    assert [(piece.seconds, piece.mark.plan, piece.mark.tags["team"]) for piece in found] == [
        (1800, "dev-2", "a"),
        (1800, "standard-4", "b"),
    ]
    assert total(charged(history, 0, 3600)) == (Decimal("0.030") + 10 * DISK + COMPUTE + 40 * DISK) / 2


def test_of_two_changes_in_one_second_the_last_counts() -> None:
    history = [Mark(at(0.1), "standard-4", running=True), Mark(at(0.9), "dev-2", running=True)]
    assert [piece.mark.plan for piece in intervals(history, at(0), at(60))] == ["dev-2"]


def test_a_free_plan_is_counted_and_costs_nothing() -> None:
    parts = charged([Mark(START, "free", running=True)], 0, 3600)
    assert {part.quantity for part in parts} == {3600}
    assert on_the_line(parts) == 0


def test_a_new_price_counts_from_its_moment_on() -> None:
    history = [Mark(START, "standard-4", running=True)]
    around = charged(history, 10 * 86400 - 3600, 10 * 86400 + 3600, BOOK, RISE)
    assert total(around) == COMPUTE + (COMPUTE + 2 * Decimal("0.02")) + 40 * DISK
    assert {part.unit_price for part in around if part.meter.component == "compute"} == {COMPUTE, Decimal("0.100")}
    after = charged(history, 10 * 86400, 10 * 86400 + 3600, BOOK, RISE)
    assert [(part.quantity, part.unit_price) for part in after] == [(3600, Decimal("0.100")), (72000, DISK)]
    assert charged(history, 10 * 86400 - 3600, 10 * 86400, BOOK, RISE) == charged(
        history, 10 * 86400 - 3600, 10 * 86400
    )


def test_what_has_no_price_is_refused() -> None:
    history = [Mark(START, "standard-4", running=True)]
    for books in ([], [RISE]):
        with pytest.raises(PriceMissing, match="no price book was in force on 2026-03-01"):
            charges(TOY, history, books, region="", begins=START, ends=at(60))
    with pytest.raises(LookupError, match="toy has no plan 'gone-1'"):
        charged([Mark(START, "gone-1", running=True)], 0, 60)


def test_a_line_is_rounded_once_with_halves_up() -> None:
    one = charged([Mark(START, "dev-2", running=True, spec={"disk_gib": 15})], 0, 3600)
    assert (total(one), on_the_line(one), on_the_line([*one, *one])) == (
        Decimal("0.045"),
        Decimal("0.05"),
        Decimal("0.09"),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_adjacent_periods_add_up_to_the_whole_and_nothing_is_negative(seed: int) -> None:
    chance = random.Random(seed)
    history = random_history(chance)
    cuts = sorted({0, MONTH, *(chance.randint(0, MONTH) for _count in range(chance.randint(0, 9)))})
    whole = charged(history, 0, MONTH, BOOK, RISE)
    parts = [part for begins, ends in itertools.pairwise(cuts) for part in charged(history, begins, ends, BOOK, RISE)]
    assert quantities(parts) == quantities(whole)
    assert on_the_line(parts) == on_the_line(whole)
    assert all(part.quantity > 0 and part.amount >= 0 for part in whole)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_second_is_charged_as_the_service_was_in_it(seed: int) -> None:
    chance = random.Random(seed)
    history = random_history(chance)
    found = list(intervals(history, at(0), at(MONTH)))
    assert all(before.ends <= after.begins for before, after in itertools.pairwise(found))
    for _count in range(40):
        second = chance.randrange(MONTH)
        began = [mark for mark in history if mark.at.replace(microsecond=0) <= at(second)]
        here = [piece.mark for piece in found if piece.begins <= at(second) < piece.ends]
        expected = began[-1] if began and began[-1].present else None
        assert [(m.plan, m.running, m.spec) for m in here] == (
            [(expected.plan, expected.running, expected.spec)] if expected else []
        )
        parts = charged(history, second, second + 1)
        assert {part.meter.component for part in parts} == (
            set() if not expected else {"storage", "compute"} if expected.running else {"storage"}
        )
