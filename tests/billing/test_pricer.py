"""The price book: by date, most specific line first, exact to the last decimal."""

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.billing import queries
from apps.billing.models import PriceBook, PriceItem, Published
from apps.billing.pricer import BookPricer, price_in
from apps.billing.rates import Key, PriceMissing
from portal.core.offerings import BACKUP_GIB_SECONDS, Meter, Plan
from portal.core.specs import Spec
from tests.billing.conftest import RATES, book_of, write
from tests.resources.doubles import TOY, ToySpec

pytestmark = pytest.mark.django_db
COMPUTE = Decimal("0.060")  # 2 vCPU at 0.02 and 4 GiB at 0.005
DISK = Decimal("0.001")  # a GiB at 0.73 a month of 730 hours
REQUESTS = Meter("requests", "Requests", "1", "traffic")


def plan(slug: str) -> Plan:
    found = TOY.plan(slug)
    assert found is not None
    return found


def hourly(
    amounts: dict[Key, Decimal] = RATES,
    *,
    size: str = "standard-4",
    region: str = "",
    running: bool = True,
    disk: int | None = None,
) -> Decimal:
    spec = ToySpec(disk_gib=disk)
    return price_in(book_of(amounts), TOY, plan(size), spec, region=region, running=running).hourly


def test_a_plan_costs_its_cpu_memory_and_disk_to_the_last_decimal() -> None:
    assert hourly() == COMPUTE + 20 * DISK
    assert hourly(disk=40) == COMPUTE + 40 * DISK
    assert hourly(size="ha-8") == 3 * (2 * Decimal("0.02") + 8 * Decimal("0.005")) + 3 * 20 * DISK
    thirds = {**RATES, ("vcpu-hour", "", "", ""): Decimal("0.0000000001")}
    assert hourly(thirds) == Decimal("0.0200000002") + 20 * DISK


def test_a_stopped_service_pays_storage_only() -> None:
    assert hourly(running=False) == 20 * DISK
    price = price_in(book_of(), TOY, plan("standard-4"), ToySpec(), region="", running=False)
    assert [line.component for line in price.lines] == ["storage"]


def test_lines_say_what_they_are_for() -> None:
    lines = price_in(book_of(), TOY, plan("ha-8"), ToySpec(disk_gib=40), region="").lines
    assert [str(line.name) for line in lines] == ["Compute: 3 × 2 vCPU, 8 GiB", "Storage: 120 GiB"]
    half = price_in(book_of(), TOY, plan("free"), ToySpec(), region="").lines[0]
    assert str(half.name) == "Compute: 1 × 0.5 vCPU, 0.5 GiB"


def test_a_free_plan_is_free_and_the_catalog_shows_the_lowest_paid_one(book: PriceBook) -> None:
    assert hourly(size="free", disk=100) == 0
    lowest = BookPricer().price_from(TOY)
    assert lowest is not None
    assert lowest.hourly == Decimal("0.030") + 10 * DISK
    assert BookPricer().price_from(dataclasses.replace(TOY, plans=(plan("free"),))) is None


def test_the_most_specific_line_counts_and_the_region_before_the_general_one() -> None:
    own = {**RATES, ("instance-seconds", "toy", "", ""): Decimal(1)}
    assert hourly(own) == 1 + 20 * DISK
    own[("instance-seconds", "toy", "", "north")] = Decimal(2)
    own[("instance-seconds", "toy", "standard-4", "")] = Decimal(3)
    assert hourly(own, region="north") == 3 + 20 * DISK
    assert hourly(own, size="dev-2", region="north") == 2 + 10 * DISK
    assert hourly(own, size="dev-2", region="south") == 1 + 10 * DISK
    own[("storage-gib-month", "", "", "north")] = Decimal("1.46")
    assert (hourly(own), hourly(own, region="north")) == (3 + 20 * DISK, 3 + 40 * DISK)


def test_what_has_no_line_is_refused_by_name() -> None:
    without = {key: amount for key, amount in RATES.items() if key[0] != "memory-gib-hour"}
    with pytest.raises(PriceMissing, match="memory-gib-hour for toy standard-4"):
        hourly(without)
    asked = dataclasses.replace(TOY, meters=(REQUESTS,), quantities=lambda plan, spec: {"requests": Decimal(7)})
    with pytest.raises(PriceMissing, match="requests of toy dev-2"):
        price_in(book_of(), asked, plan("dev-2"), ToySpec(), region="")
    paid = book_of({("requests", "", "", ""): Decimal("0.5")})
    assert price_in(paid, asked, plan("dev-2"), ToySpec(), region="").hourly == Decimal("3.5")


def test_a_book_counts_from_its_moment_on_and_only_in_its_currency(book: PriceBook) -> None:
    later = timezone.now() + datetime.timedelta(days=1)
    write(later, {**RATES, ("vcpu-hour", "", "", ""): Decimal(100)})
    write(timezone.now(), {("vcpu-hour", "", "", ""): Decimal(7)}, currency="CHF")
    vcpu = ("vcpu-hour", "", "", "")
    before = later - datetime.timedelta(microseconds=1)
    assert [queries.book_at(at).amounts[vcpu] for at in (before, later)] == [Decimal("0.02"), 100]
    between = queries.books_between(timezone.now(), later + datetime.timedelta(days=1))
    assert [one.amounts[vcpu] for one in between] == [Decimal("0.02"), 100]
    assert [one.currency for one in queries.books_between(timezone.now(), later)] == ["EUR"]
    with pytest.raises(PriceMissing, match="no price book is in force"):
        queries.book_at(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))


def test_the_book_is_read_once_for_many_prices_and_again_when_it_is_old(
    book: PriceBook, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pricer, clock = BookPricer(), [0.0]
    monkeypatch.setattr("apps.billing.pricer.time.monotonic", lambda: clock[0])
    with django_assert_num_queries(1):
        for _round in range(60):
            pricer.price_from(TOY)
            pricer.price(TOY, plan("dev-2"), ToySpec(), region="local")
        pricer.price_list()
    clock[0] = 31.0
    with django_assert_num_queries(1):
        pricer.price_from(TOY)


def test_the_price_list_tells_the_books_lines_and_what_they_come_to(toys: None) -> None:
    dear = {("storage-gib-month", "", "", "north"): Decimal("1.46")}
    write(timezone.now(), {**RATES, **dear})
    rows = BookPricer().price_list()
    names = ("offering", "plan", "region", "meter", "component", "unit", "amount")
    told = {tuple(row[name] for name in names) for row in rows}
    assert len(told) == len(rows)
    assert ("", "", "", "vcpu-hour", "compute", "hour", "0.0200000000") in told
    assert ("", "", "north", "storage-gib-month", "storage", "month", "1.4600000000") in told
    assert ("toy", "dev-2", "", "storage-gib-seconds", "storage", "hour", "0.0100000000") in told
    assert ("toy", "dev-2", "north", "storage-gib-seconds", "storage", "hour", "0.0200000000") in told
    assert ("toy", "free", "", "instance-seconds", "compute", "hour", "0.0000000000") in told
    assert not [row for row in rows if row["region"] == "north" and row["component"] == "compute"]
    assert {row["currency"] for row in rows} == {"EUR"}


def test_a_meter_is_never_told_under_anothers_name(monkeypatch: pytest.MonkeyPatch, book: PriceBook) -> None:
    meters = (TOY.meters[0], BACKUP_GIB_SECONDS, TOY.meters[1])
    sold = {"toy": dataclasses.replace(TOY, meters=meters)}
    monkeypatch.setattr("portal.core.registry.offerings", lambda: sold)
    lines = {row["meter"]: row["component"] for row in BookPricer().price_list() if row["plan"] == "dev-2"}
    assert lines == {"instance-seconds": "compute", "storage-gib-seconds": "storage"}


def test_settings_that_have_to_be_chosen_do_not_hide_the_price(book: PriceBook) -> None:
    class Demanding(Spec):
        source: str
        disk_gib: int | None = None

    lowest = BookPricer().price_from(dataclasses.replace(TOY, spec=Demanding))
    assert lowest is not None
    assert lowest.hourly == Decimal("0.030") + 10 * DISK


def test_what_is_published_stays(book: PriceBook) -> None:
    item = PriceItem.objects.filter(book=book).first()
    assert item is not None
    for refused in (book.save, book.delete, item.save, item.delete, PriceItem.objects.all().delete):
        with pytest.raises(Published):
            refused()
    with pytest.raises(Published):
        PriceBook.objects.filter(id=book.id).update(note="x")
    assert PriceBook.objects.get(id=book.id).items.count() == len(RATES)
