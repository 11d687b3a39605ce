"""Rows of the list of services."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from portal.core import registry
from portal.core.offerings import Offering
from portal.core.pricing import Price
from portal.resources.models import Operation, Resource
from portal.resources.presenters.prices import Prices
from portal.resources.queries import current_operation


@dataclass(frozen=True, slots=True)
class Row:
    """One service of the list. ``days_left`` is set for what is in the bin."""

    resource: Resource
    offering: Offering | None
    price: Price | None
    operation: Operation | None
    days_left: int | None = None

    @property
    def plan_name(self) -> str:
        plan = self.offering.plan(self.resource.plan_slug) if self.offering else None
        return str(plan.name) if plan else self.resource.plan_slug

    @property
    def can_return(self) -> bool:
        """Whether it can still be brought back from the bin."""
        return self.resource.in_bin and self.resource.deletion_policy != "wipe"

    @property
    def shows_health(self) -> bool:
        return self.resource.health not in ("unknown", "healthy")

    @property
    def mark_parts(self) -> tuple[object, ...]:
        row = self.resource
        operation = str(self.operation.id) if self.operation else ""
        return (str(row.id), row.name, row.state, row.health, row.plan_slug, row.release, row.tags, operation)


def rows_of(resources: Iterable[Resource]) -> list[Row]:
    prices = Prices()
    return [_row(resource, prices) for resource in resources]


def _row(resource: Resource, prices: Prices) -> Row:
    offering = registry.offering(resource.offering_slug)
    if resource.in_bin:
        return Row(resource, offering, None, None, _days_left(resource))
    price = prices.of(resource) if offering and offering.plan(resource.plan_slug) else None
    return Row(resource, offering, price, current_operation(resource))


def _days_left(resource: Resource) -> int | None:
    if resource.purge_after is None:
        return None
    return max(0, -(-int((resource.purge_after - timezone.now()).total_seconds()) // 86400))
