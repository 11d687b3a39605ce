"""The first price book, so that every installation has prices. A change of price is a new book, not an edit here.

Every offering has a price from its plan's vCPU, memory and disk, with no line of its own. The rates are list prices near
what European clouds ask for managed databases: a PostgreSQL ``standard-4`` (2 vCPU, 4 GiB,
80 GiB) comes to 2 × 0.0120 + 4 × 0.0055 EUR an hour for compute, and 80 × 0.11 EUR a month for storage.
"""

import datetime
from decimal import Decimal

from django.db import migrations

FIRST_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
RATES = {
    "vcpu-hour": Decimal("0.0120"),
    "memory-gib-hour": Decimal("0.0055"),
    "storage-gib-month": Decimal("0.11"),
    "backup-gib-month": Decimal("0.04"),
}


def make_first_book(apps, schema_editor):
    book = apps.get_model("billing", "PriceBook").objects.create(valid_from=FIRST_DAY, note="List prices")
    item = apps.get_model("billing", "PriceItem")
    item.objects.bulk_create(item(book=book, rate=rate, amount=amount) for rate, amount in RATES.items())


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(make_first_book, migrations.RunPython.noop)]
