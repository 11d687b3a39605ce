"""One price book in memory, and how a price follows from its lines. Pure: pricer, publishing and usage ask it."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from portal.core.offerings import BACKUP_GIB_SECONDS, INSTANCE_SECONDS, STORAGE_GIB_SECONDS, Meter, Offering, Plan
from portal.core.pricing import HOURS_PER_MONTH
from portal.core.specs import Spec

CURRENCY = "EUR"
VCPU_HOUR, MEMORY_GIB_HOUR = "vcpu-hour", "memory-gib-hour"
MONTHLY_RATES = {STORAGE_GIB_SECONDS.slug: "storage-gib-month", BACKUP_GIB_SECONDS.slug: "backup-gib-month"}
# What the general rates are for; every other rate is a meter's slug, priced per unit and hour.
COMPONENTS = {
    VCPU_HOUR: "compute",
    MEMORY_GIB_HOUR: "compute",
    MONTHLY_RATES[STORAGE_GIB_SECONDS.slug]: "storage",
    MONTHLY_RATES[BACKUP_GIB_SECONDS.slug]: "backup",
}
Key = tuple[str, str, str, str]  # rate, offering, plan, region


class PriceMissing(LookupError):
    """The book in force has no line for something that is sold."""


@dataclass(frozen=True, slots=True)
class Book:
    """One price book. An empty offering, plan or region in a line's key means: of all."""

    currency: str
    valid_from: datetime.datetime
    amounts: Mapping[Key, Decimal]

    @property
    def regions(self) -> list[str]:
        """Return the regions that have a line of their own."""
        return sorted({region for _rate, _offering, _plan, region in self.amounts if region})

    def amount(self, rate: str, offering: str, plan: str, region: str) -> Decimal | None:
        """Return the most specific line: of offering and plan before offering before all, of the region before all."""
        places = ((offering, plan), (offering, ""), ("", ""))
        keys = ((rate, of, size, where) for of, size in places for where in (region, ""))
        return next((self.amounts[key] for key in keys if key in self.amounts), None)

    def unit_price(self, offering: Offering, plan: Plan, meter: Meter, region: str) -> Decimal:
        """Return the price of one unit of a meter for an hour, such as of one node or one GiB.

        A line of the meter's own goes before what the general rates come to. Raises ``PriceMissing``.
        """
        if plan.free:
            return Decimal(0)
        own = self.amount(meter.slug, offering.slug, plan.slug, region)
        if own is not None:
            return own
        if meter.slug == INSTANCE_SECONDS.slug:
            cpu = self._needed(VCPU_HOUR, offering, plan, region)
            return plan.cpu * cpu + plan.memory_gib * self._needed(MEMORY_GIB_HOUR, offering, plan, region)
        if meter.slug in MONTHLY_RATES:
            return self._needed(MONTHLY_RATES[meter.slug], offering, plan, region) / HOURS_PER_MONTH
        raise PriceMissing(f"the price book has no line for {meter.slug} of {offering.slug} {plan.slug}")

    def _needed(self, rate: str, offering: Offering, plan: Plan, region: str) -> Decimal:
        amount = self.amount(rate, offering.slug, plan.slug, region)
        if amount is None:
            raise PriceMissing(f"the price book has no {rate} for {offering.slug} {plan.slug}")
        return amount


def counted(offering: Offering, plan: Plan, spec: Spec, *, running: bool) -> list[tuple[Meter, Decimal]]:
    """Return the meters that count now, each with its units; compute counts only while a service runs."""
    units = offering.billed(plan, spec)
    meters = [meter for meter in offering.meters if meter.slug in units]
    return [(meter, units[meter.slug]) for meter in meters if running or meter.component != "compute"]
