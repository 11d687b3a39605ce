"""Price books: what things cost from a date on. A published book never changes; a new price is a new book.

``actions.publish`` makes them; once written, neither a book nor its lines can be saved, updated or deleted here.
"""

from typing import Any, NoReturn

from django.db import models

from portal.core import ids


class Published(TypeError):
    """Code tried to change a price that may already have been told or billed."""


class WrittenOnce(models.QuerySet[Any]):
    """Rows that can be made and read."""

    def update(self, **values: Any) -> NoReturn:
        raise Published(f"{self.model.__name__} is never changed: publish a new price book")

    def delete(self) -> NoReturn:
        raise Published(f"{self.model.__name__} is never deleted: publish a new price book")


class PriceRow(models.Model):
    """What books and their lines have in common: written once."""

    objects = WrittenOnce.as_manager()

    class Meta:
        abstract = True

    def save(self, *arguments: Any, **options: Any) -> None:
        if not self._state.adding:
            raise Published(f"{self} is published")
        super().save(*arguments, **options)

    def delete(self, *arguments: Any, **options: Any) -> NoReturn:
        raise Published(f"{self} is published")


class PriceBook(PriceRow):
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
        return f"{self.currency} from {self.valid_from:%Y-%m-%d %H:%M}"


class PriceItem(PriceRow):
    """The price of one rate. Empty offering, plan or region means: of all; the most specific line counts."""

    book = models.ForeignKey(PriceBook, on_delete=models.CASCADE, related_name="items")
    rate = models.CharField(
        max_length=40, help_text="vcpu-hour, memory-gib-hour, storage-gib-month, … or a meter's slug"
    )
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

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what the price is for: rate, offering, plan, region."""
        return self.rate, self.offering, self.plan, self.region
