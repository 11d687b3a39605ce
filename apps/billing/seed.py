"""The first price book. Every offering has a price from its plan's vCPU, memory and disk, with no line of its own.

The rates are list prices made for this installation, near what European clouds ask for managed databases: a
``standard-4`` (2 vCPU, 4 GiB, 40 GiB) comes to (2 × 0.0120 + 4 × 0.0055) EUR an hour for compute and
40 × 0.11 EUR a month for storage.
"""

import datetime
from decimal import Decimal

from django.db import transaction

from apps.billing.models import PriceBook, PriceItem

FIRST_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
RATES = {
    "vcpu-hour": Decimal("0.0120"),
    "memory-gib-hour": Decimal("0.0055"),
    "storage-gib-month": Decimal("0.11"),
    "backup-gib-month": Decimal("0.04"),
}


@transaction.atomic
def seed_price_book() -> None:
    """Make the first book where there is none."""
    if PriceBook.objects.exists():
        return
    book = PriceBook.objects.create(currency="EUR", valid_from=FIRST_DAY, note="List prices")
    PriceItem.objects.bulk_create(PriceItem(book=book, rate=rate, amount=amount) for rate, amount in RATES.items())
