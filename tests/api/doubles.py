"""Prices for offerings that no price book knows: one cent an hour for each GiB of memory."""

from decimal import Decimal
from typing import Any

from portal.core.offerings import Offering, Plan
from portal.core.pricing import Price, PriceLine
from portal.core.specs import Spec


class FlatPricer:
    """A named double for ``apps.billing``, whose own tests use the real book."""

    def price(self, offering: Offering, plan: Plan, spec: Spec, *, region: str, running: bool = True) -> Price:
        hourly = plan.memory_gib * plan.nodes / 100 if running and not plan.free else Decimal(0)
        return Price("EUR", (PriceLine("compute", "Compute", Decimal(plan.nodes), "h", hourly),))

    def price_list(self) -> list[dict[str, Any]]:
        line = {"offering": "toy", "plan": "dev-2", "region": "", "meter": "instance-seconds", "component": "compute"}
        line |= {"unit": "hour"}
        return [{**line, "amount": "0.0200000000", "currency": "EUR", "valid_from": "2026-01-01T00:00:00+00:00"}]

    def price_from(self, offering: Offering) -> Price | None:
        return Price("EUR", (PriceLine("compute", "Compute", Decimal(1), "h", Decimal("0.02")),))
