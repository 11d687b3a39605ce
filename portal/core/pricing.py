"""Prices, as the rest of the portal asks for them. ``settings.PRICER`` names who answers (``apps/billing``)."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from portal.core.offerings import Offering, Plan
from portal.core.specs import Spec

HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One component: ``hourly`` is binding, four decimals or more; nothing is rounded before the bill's line."""

    component: str
    name: str | Promise
    quantity: Decimal
    unit: str | Promise
    hourly: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """What a service costs while it runs, net of tax. The month (730 h) is an estimate."""

    currency: str
    lines: tuple[PriceLine, ...]

    @property
    def hourly(self) -> Decimal:
        return sum((line.hourly for line in self.lines), Decimal(0))

    @property
    def monthly_estimate(self) -> Decimal:
        return (self.hourly * HOURS_PER_MONTH).quantize(Decimal("0.01"))

    def as_json(self) -> dict[str, Any]:
        """Return the wire form: decimal strings and a currency."""
        return {
            "currency": self.currency,
            "hourly": f"{self.hourly:.6f}",
            "monthly_estimate": f"{self.monthly_estimate:.2f}",
            "lines": [
                {"component": line.component, "name": str(line.name), "hourly": f"{line.hourly:.6f}"}
                for line in self.lines
            ],
        }


class Pricer(Protocol):
    """Knows the price book in force."""

    def price(self, offering: Offering, plan: Plan, spec: Spec, *, region: str, running: bool = True) -> Price:
        """Return today's list price; a stopped service pays no compute."""
        ...

    def price_list(self) -> list[dict[str, Any]]:
        """Return every line of the book in force, for ``GET /catalog/prices`` and ``/pricing``."""
        ...

    def price_from(self, offering: Offering) -> Price | None:
        """Return the lowest paid price of an offering."""
        ...


@cache
def pricer() -> Pricer:
    answer: Pricer = import_string(settings.PRICER)()
    return answer
