"""Answers ``settings.PRICER`` from the price book in force. Decimal throughout; only a bill's line is rounded."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from pydantic import ValidationError

from apps.billing import queries
from apps.billing.rates import COMPONENTS, Book, Key, counted
from portal.core import registry
from portal.core.offerings import INSTANCE_SECONDS, Meter, Offering, Plan
from portal.core.pricing import Price, PriceLine
from portal.core.specs import Spec

KEPT_SECONDS = 30.0  # how long a process goes on with the book it has read


class BookPricer:
    """The price book, asked by catalog, order page, API and quotes."""

    def __init__(self) -> None:
        self._kept: tuple[Book, float] | None = None

    def price(self, offering: Offering, plan: Plan, spec: Spec, *, region: str, running: bool = True) -> Price:
        """Return today's list price. Raises ``PriceMissing``."""
        return price_in(self.book(), offering, plan, spec, region=region, running=running)

    def price_list(self) -> list[dict[str, Any]]:
        """Return the book's own lines, then what they come to for every plan with its default settings."""
        book = self.book()
        return [*_own_lines(book), *_sold_lines(book)]

    def price_from(self, offering: Offering) -> Price | None:
        """Return the lowest paid price, or None where there are free plans only."""
        book, spec = self.book(), default_spec(offering)
        prices = [price_in(book, offering, plan, spec, region="") for plan in offering.plans if not plan.free]
        return min(prices, key=lambda price: price.hourly, default=None)

    def book(self) -> Book:
        """Return the book in force, read again every half minute. Raises ``PriceMissing``."""
        kept = self._kept
        if kept is None or time.monotonic() > kept[1]:
            self._kept = kept = (queries.book_at(timezone.now()), time.monotonic() + KEPT_SECONDS)
        return kept[0]


def price_in(book: Book, offering: Offering, plan: Plan, spec: Spec, *, region: str, running: bool = True) -> Price:
    """Return what these settings cost by one book. Raises ``PriceMissing``."""
    lines = tuple(
        PriceLine(
            component=meter.component,
            name=_describe(meter, plan, units),
            quantity=units,
            unit=meter.unit,
            hourly=units * book.unit_price(offering, plan, meter, region),
        )
        for meter, units in counted(offering, plan, spec, running=running)
    )
    return Price(book.currency, lines)


def default_spec(offering: Offering) -> Spec:
    """Return the settings that a list price is for; those that a customer has to choose are left out."""
    try:
        return offering.spec()
    except ValidationError:
        return offering.spec.model_construct()


def _own_lines(book: Book) -> Iterator[dict[str, Any]]:
    for key, amount in sorted(book.amounts.items()):
        unit = "month" if key[0].endswith("-month") else "hour"
        yield _row(book, key, unit, COMPONENTS.get(key[0]) or _component_of(key[0]), amount)


def _component_of(slug: str) -> str:
    meters = (meter for offering in registry.offerings().values() for meter in offering.meters)
    return next((meter.component for meter in meters if meter.slug == slug), "")


def _sold_lines(book: Book) -> Iterator[dict[str, Any]]:
    for offering in registry.offerings().values():
        spec = default_spec(offering)
        for plan in offering.plans:
            yield from _plan_lines(book, offering, plan, spec)


def _plan_lines(book: Book, offering: Offering, plan: Plan, spec: Spec) -> Iterator[dict[str, Any]]:
    """Tell a plan's lines for everywhere, and for a region where they come to something else."""
    for meter, units in counted(offering, plan, spec, running=True):
        general = units * book.unit_price(offering, plan, meter, "")
        for region in ("", *book.regions):
            amount = units * book.unit_price(offering, plan, meter, region)
            key = (meter.slug, offering.slug, plan.slug, region)
            if (not region or amount != general) and key not in book.amounts:
                yield _row(book, key, "hour", meter.component, amount)


def _row(book: Book, key: Key, unit: str, component: str, amount: Decimal) -> dict[str, Any]:
    rate, offering, plan, region = key
    return {
        "offering": offering,
        "plan": plan,
        "region": region,
        "meter": rate,
        "component": component,
        "unit": unit,
        "amount": f"{amount:.10f}",
        "currency": book.currency,
        "valid_from": book.valid_from.isoformat(),
    }


def _describe(meter: Meter, plan: Plan, units: Decimal) -> str:
    """Say what a line is for, with its quantity: ``Compute: 1 × 2 vCPU, 4 GiB``."""
    words = {"what": meter.name, "units": number_format(units.normalize())}
    if meter.slug == INSTANCE_SECONDS.slug:
        size = {"cpu": number_format(plan.cpu.normalize()), "memory": number_format(plan.memory_gib.normalize())}
        return _("%(what)s: %(units)s × %(cpu)s vCPU, %(memory)s GiB") % (words | size)
    return _("%(what)s: %(units)s GiB") % words if "gib" in meter.slug else str(meter.name)
