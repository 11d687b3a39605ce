"""Price books: what things cost from a date on. A published book never changes; a new price is a new book."""

from django.db import models

from portal.core import ids


class PriceBook(models.Model):
    """All list prices in one currency, in force from ``valid_from`` until the next book's."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    currency = models.CharField(max_length=3, default="EUR", help_text="ISO 4217")
    valid_from = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-valid_from"]
        constraints = [models.UniqueConstraint(fields=["currency", "valid_from"], name="one_book_per_moment")]

    def __str__(self) -> str:
        return f"{self.currency} from {self.valid_from:%Y-%m-%d}"


class PriceItem(models.Model):
    """The price of one rate. Empty offering, plan or region means: of all; the most specific line counts."""

    book = models.ForeignKey(PriceBook, on_delete=models.CASCADE, related_name="items")
    rate = models.CharField(max_length=40, help_text="vcpu-hour, memory-gib-hour, storage-gib-month, … or a meter's slug")
    offering = models.CharField(max_length=63, blank=True)
    plan = models.CharField(max_length=63, blank=True)
    region = models.CharField(max_length=63, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=10, help_text="net of tax")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["book", "rate", "offering", "plan", "region"], name="one_price_per_rate_and_place"
            ),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="no_negative_price"),
        ]

    def __str__(self) -> str:
        return f"{self.rate} {self.offering} {self.plan} {self.region}: {self.amount}"
