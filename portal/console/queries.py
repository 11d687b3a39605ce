"""What the home page shows."""

from dataclasses import replace
from typing import Any

from django.db.models import Count
from django.http import HttpRequest

from portal.catalog import queries as catalog
from portal.core.actors import Actor
from portal.core.pricing import HOURS_PER_MONTH, Price
from portal.projects.queries import current_project
from portal.resources import queries
from portal.resources.access import visible_resources
from portal.resources.models import Event, Resource
from portal.resources.parts import price_with_parts
from portal.resources.presenters.activity import Line, timeline_of

RECENT = 6
ACTIVITY = 8


def home(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """Return services that need a look, the newest ones, activity, the month's estimate and what to order first."""
    project = current_project(request, actor)
    if project is None:
        return {"project": None, "offerings": catalog.cards()[:RECENT]}
    rows = queries.services(actor, project=project)
    counts = dict(rows.order_by().values_list("state").annotate(number=Count("id")))
    unwell = list(rows.filter(health="unavailable")[:RECENT]) + list(rows.filter(state="failed")[:RECENT])
    prices = [price_of(row) for row in rows.defer("facts", "conditions")[:500]]
    activity = Event.objects.filter(resource__in=visible_resources(actor), resource__project=project)
    return {
        "project": project,
        "counts": counts,
        "total": sum(counts.values()),
        "unwell": {row.id: row for row in unwell}.values(),
        "services": rows[:RECENT],
        "events": _lines(list(activity.select_related("resource")[:ACTIVITY])),
        "monthly": sum((price.hourly for price in prices), start=prices[0].hourly * 0) * HOURS_PER_MONTH
        if prices
        else 0,
        "currency": prices[0].currency if prices else "EUR",
        "offerings": catalog.cards()[:RECENT],
    }


def _lines(events: list[Event]) -> list[Line]:
    """Return the project's activity, each line with the service that it is about."""
    return [replace(line, detail=event.resource.name) for line, event in zip(timeline_of(events), events, strict=True)]


def price_of(resource: Resource) -> Price:
    """Return what a service costs as it is now."""
    spec, region = resource.load_spec(), resource.region.slug
    return price_with_parts(resource.offering, resource.plan, spec, region=region, running=resource.running)
