"""A price book of round numbers, and a toy to sell."""

import datetime
from collections.abc import Iterable, Mapping
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.billing.models import PriceBook, PriceItem
from apps.billing.rates import Book, Key
from portal.core import registry
from tests.resources.doubles import TOY

RATES: dict[Key, Decimal] = {
    ("vcpu-hour", "", "", ""): Decimal("0.02"),
    ("memory-gib-hour", "", "", ""): Decimal("0.005"),
    ("storage-gib-month", "", "", ""): Decimal("0.73"),
    ("backup-gib-month", "", "", ""): Decimal("0.03"),
}
NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def book_of(amounts: Mapping[Key, Decimal] = RATES, valid_from: datetime.datetime = NEW_YEAR) -> Book:
    return Book("EUR", valid_from, amounts)


def write(valid_from: datetime.datetime, amounts: Mapping[Key, Decimal] = RATES, currency: str = "EUR") -> PriceBook:
    """Put a book into the tables as it is, past the action's checks."""
    made = PriceBook.objects.create(valid_from=valid_from, currency=currency)
    items: Iterable[PriceItem] = (
        PriceItem(book=made, rate=rate, offering=offering, plan=plan, region=region, amount=amount)
        for (rate, offering, plan, region), amount in amounts.items()
    )
    PriceItem.objects.bulk_create(items)
    return made


@pytest.fixture
def book(db: None) -> PriceBook:
    """The round numbers, in force since yesterday."""
    return write(timezone.now() - datetime.timedelta(days=1))


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy is all that is sold."""
    monkeypatch.setattr(registry, "offerings", lambda: {"toy": TOY})
