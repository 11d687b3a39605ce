"""The price book: by date, most specific line first, exact to the last decimal."""

import datetime
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from apps.billing.models import PriceBook, PriceItem
from apps.billing.pricer import BookPricer, PriceMissing
from tests.resources.doubles import TOY, ToySpec

pytestmark = pytest.mark.django_db
PLAN = TOY.plan("standard-4")
assert PLAN is not None
RATES = {
    "vcpu-hour": Decimal("0.02"),
    "memory-gib-hour": Decimal("0.005"),
    "storage-gib-month": Decimal("0.10"),
    "backup-gib-month": Decimal("0.03"),
}


@pytest.fixture(autouse=True)
def book() -> PriceBook:
    """A book of round numbers, in force since yesterday."""
    made = PriceBook.objects.create(valid_from=timezone.now() - datetime.timedelta(days=1))
    PriceItem.objects.bulk_create(PriceItem(book=made, rate=rate, amount=amount) for rate, amount in RATES.items())
    return made


def hourly(*, region: str = "local", running: bool = True, disk: int | None = None) -> Decimal:
    assert PLAN is not None
    return BookPricer().price(TOY, PLAN, ToySpec(disk_gib=disk), region=region, running=running).hourly


def test_a_plan_costs_its_cpu_memory_and_disk_to_the_last_decimal() -> None:
    compute = 2 * RATES["vcpu-hour"] + 4 * RATES["memory-gib-hour"]
    assert hourly() == compute + 20 * (RATES["storage-gib-month"] / 730)
    assert hourly(disk=40) == compute + 40 * (RATES["storage-gib-month"] / 730)


def test_a_stopped_service_pays_storage_only() -> None:
    assert hourly(running=False) == 20 * (RATES["storage-gib-month"] / 730)


def test_a_free_plan_is_free_and_the_catalog_shows_the_lowest_paid_one() -> None:
    free = TOY.plan("free")
    assert free is not None
    assert BookPricer().price(TOY, free, ToySpec(), region="").hourly == 0
    lowest = BookPricer().price_from(TOY)
    assert lowest is not None
    assert 0 < lowest.hourly < hourly()


def test_the_most_specific_line_counts(book: PriceBook) -> None:
    PriceItem.objects.create(book=book, rate="instance-seconds", offering="toy", plan="standard-4", amount=Decimal(2))
    PriceItem.objects.create(
        book=book, rate="instance-seconds", offering="toy", plan="standard-4", region="north", amount=Decimal(3)
    )
    storage = 20 * (RATES["storage-gib-month"] / 730)
    assert hourly() == 2 + storage
    assert hourly(region="north") == 3 + storage


def test_a_book_counts_from_its_day_on() -> None:
    later = PriceBook.objects.create(valid_from=timezone.now() + datetime.timedelta(days=1))
    PriceItem.objects.create(book=later, rate="vcpu-hour", amount=Decimal(100))
    assert hourly() < 1
    PriceBook.objects.filter(id=later.id).update(valid_from=timezone.now())
    with pytest.raises(PriceMissing, match="memory-gib-hour"):
        hourly()


def test_the_book_is_read_once_for_many_prices(django_assert_num_queries: object) -> None:
    pricer = BookPricer()
    with django_assert_num_queries(2):  # type: ignore[operator]
        for plan in TOY.plans * 20:
            pricer.price(TOY, plan, ToySpec(), region="local")


def test_everybody_may_read_the_prices() -> None:
    assert Client().get("/pricing").status_code == 200
