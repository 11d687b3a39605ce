"""Rows of the list of services."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import registry
from portal.core.addresses import address
from portal.core.offerings import Offering
from portal.core.pricing import Price
from portal.core.templatetags import formats
from portal.resources.models import Operation, Resource
from portal.resources.presenters.prices import Prices
from portal.resources.queries import current_operation

TAGS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One service of the list, in words. ``days_left`` is set for what is in the bin."""

    resource: Resource
    product: Offering | str
    name: str
    url: str
    line: str  # product, version and tags
    plan_name: str
    region: str
    project: str
    price: Price | None
    operation: Operation | None
    days_left: int | None = None

    @property
    def handle(self) -> str:
        return self.resource.handle

    @property
    def state(self) -> str:
        return self.resource.state

    @property
    def health(self) -> str:
        return self.resource.health

    @property
    def created_at(self) -> datetime.datetime:
        return self.resource.created_at

    @property
    def monthly(self) -> str:
        """Return the month's price; a dash where nothing is known of it."""
        if self.price is None:
            return "–"
        month = self.price.monthly_estimate
        return formats.money(month, self.price.currency) if month else _("Free")

    @property
    def can_return(self) -> bool:
        """Whether it can still be brought back from the bin."""
        return self.resource.in_bin and self.resource.deletion_policy != "wipe"

    @property
    def undelete_url(self) -> str:
        return f"{self.url}/undelete"

    @property
    def remove_url(self) -> str:
        return f"{self.url}/delete"

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
    plan = offering.plan(resource.plan_slug) if offering else None
    in_bin = resource.in_bin
    return Row(
        resource=resource,
        product=offering or resource.offering_slug,
        name=resource.name,
        url=address("resources:service", resource.public_id),
        line=_line(resource, offering.name if offering else resource.offering_slug),
        plan_name=str(plan.name) if plan else resource.plan_slug,
        region=resource.region.name,
        project=resource.project.name,
        price=prices.of(resource) if plan and not in_bin else None,
        operation=None if in_bin else current_operation(resource),
        days_left=_days_left(resource) if in_bin else None,
    )


def _line(resource: Resource, product: str) -> str:
    tags = islice(resource.tags.items(), TAGS_SHOWN)
    return " · ".join([f"{product} {resource.version}", *(f"{key}={value}" if value else key for key, value in tags)])


def _days_left(resource: Resource) -> int | None:
    if resource.purge_after is None:
        return None
    return max(0, -(-int((resource.purge_after - timezone.now()).total_seconds()) // 86400))
