"""Answers ``settings.PRICER`` from the price book in force. Decimal throughout; nothing is rounded before a bill's line."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from apps.billing.models import PriceBook, PriceItem
from portal.core import registry
from portal.core.offerings import BACKUP_GIB_SECONDS, INSTANCE_SECONDS, STORAGE_GIB_SECONDS, Meter, Offering, Plan
from portal.core.pricing import HOURS_PER_MONTH, Price, PriceLine
from portal.core.specs import Spec

KEPT_SECONDS = 30.0  # how long a process goes on with the book it has read
RUNNING_ONLY = "compute"
MONTHLY_RATES = {STORAGE_GIB_SECONDS.slug: "storage-gib-month", BACKUP_GIB_SECONDS.slug: "backup-gib-month"}


class PriceMissing(LookupError):
    """The book in force has no line for something that is sold."""


@dataclass(frozen=True, slots=True)
class Book:
    """One price book, read into memory."""

    currency: str
    valid_from: Any
    amounts: dict[tuple[str, str, str, str], Decimal]

    def amount(self, rate: str, offering: str, plan: str, region: str) -> Decimal | None:
        """Return the most specific line: of offering and plan before offering before all, of the region before all."""
        places = ((offering, plan), (offering, ""), ("", ""))
        keys = ((rate, of, size, where) for of, size in places for where in (region, ""))
        return next((self.amounts[key] for key in keys if key in self.amounts), None)


class BookPricer:
    """The price book, asked by catalog, order page, API and quotes."""

    def __init__(self) -> None:
        self._book: Book | None = None
        self._until = 0.0

    def price(self, offering: Offering, plan: Plan, spec: Spec, *, region: str, running: bool = True) -> Price:
        """Return today's list price. Raises ``PriceMissing``."""
        book = self.book()
        rates = offering.billed(plan, spec)
        meters = [m for m in offering.meters if m.slug in rates and (running or m.component != RUNNING_ONLY)]
        lines = tuple(self._line(book, offering, plan, region, meter, rates[meter.slug]) for meter in meters)
        return Price(book.currency, lines)

    def _line(
        self, book: Book, offering: Offering, plan: Plan, region: str, meter: Meter, quantity: Decimal
    ) -> PriceLine:
        hourly = Decimal(0) if plan.free else quantity * unit_price(book, offering, plan, region, meter)
        return PriceLine(meter.component, _describe(meter, plan, quantity), quantity, meter.unit, hourly)

    def price_list(self) -> list[dict[str, Any]]:
        """Return every line of what is sold, and the general rates."""
        return [*self._general(), *self._sold()]

    def _general(self) -> Iterator[dict[str, Any]]:
        book = self.book()
        for (rate, offering, plan, region), amount in sorted(book.amounts.items()):
            yield _row(book, offering, plan, region, rate, rate.rpartition("-")[2], amount)

    def _sold(self) -> Iterator[dict[str, Any]]:
        book = self.book()
        for offering in registry.offerings().values():
            for plan in offering.plans:
                for line, meter in zip(self._lines(offering, plan), offering.meters, strict=False):
                    yield _row(book, offering.slug, plan.slug, "", meter.slug, "hour", line.hourly)

    def _lines(self, offering: Offering, plan: Plan) -> tuple[PriceLine, ...]:
        return self.price(offering, plan, offering.spec(), region="").lines

    def price_from(self, offering: Offering) -> Price | None:
        """Return the lowest paid price, or None where there are free plans only."""
        prices = [self.price(offering, plan, offering.spec(), region="") for plan in offering.plans if not plan.free]
        return min(prices, key=lambda price: price.hourly, default=None)

    def book(self) -> Book:
        """Return the book in force, read again every half minute."""
        if self._book is None or time.monotonic() > self._until:
            self._book, self._until = _read(), time.monotonic() + KEPT_SECONDS
        return self._book


def unit_price(book: Book, offering: Offering, plan: Plan, region: str, meter: Meter) -> Decimal:
    """Return the price of one unit of a meter for an hour. Raises ``PriceMissing``."""
    own = book.amount(meter.slug, offering.slug, plan.slug, region)
    if own is not None:
        return own
    if meter.slug == INSTANCE_SECONDS.slug:
        cpu = _needed(book, "vcpu-hour", offering, plan, region)
        memory = _needed(book, "memory-gib-hour", offering, plan, region)
        return plan.cpu * cpu + plan.memory_gib * memory
    if meter.slug in MONTHLY_RATES:
        return _needed(book, MONTHLY_RATES[meter.slug], offering, plan, region) / HOURS_PER_MONTH
    raise PriceMissing(f"the price book has no line for {meter.slug} of {offering.slug} {plan.slug}")


def _needed(book: Book, rate: str, offering: Offering, plan: Plan, region: str) -> Decimal:
    amount = book.amount(rate, offering.slug, plan.slug, region)
    if amount is None:
        raise PriceMissing(f"the price book has no {rate} for {offering.slug} {plan.slug}")
    return amount


def _read() -> Book:
    book = PriceBook.objects.filter(valid_from__lte=timezone.now()).first()
    if book is None:
        raise PriceMissing("no price book is in force")
    rows = PriceItem.objects.filter(book=book)
    return Book(book.currency, book.valid_from, {(r.rate, r.offering, r.plan, r.region): r.amount for r in rows})


def _describe(meter: Meter, plan: Plan, quantity: Decimal) -> str:
    """Say what a line is for, with its quantity."""
    if meter.slug == INSTANCE_SECONDS.slug:
        words = {"nodes": plan.nodes, "cpu": number_format(plan.cpu.normalize()), "memory": number_format(plan.memory_gib.normalize())}
        return _("Compute: %(nodes)s × %(cpu)s vCPU, %(memory)s GiB") % words
    return f"{meter.name}: {number_format(quantity.normalize(), use_l10n=True)} GiB" if "gib" in meter.slug else str(meter.name)


def _row(book: Book, offering: str, plan: str, region: str, meter: str, unit: str, amount: Decimal) -> dict[str, Any]:
    return {
        "offering": offering,
        "plan": plan,
        "region": region,
        "meter": meter,
        "unit": unit,
        "amount": f"{amount:.10f}",
        "currency": book.currency,
        "valid_from": book.valid_from.isoformat(),
    }
