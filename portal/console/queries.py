"""What the home page shows, at a cost that does not grow with the project."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from portal.catalog import queries as catalog
from portal.core.actors import Actor
from portal.core.counting import MOST, total_of
from portal.core.pricing import HOURS_PER_MONTH
from portal.projects.queries import current_project
from portal.resources.access import visible_resources
from portal.resources.models import Event, Resource
from portal.resources.presenters.activity import Line, timeline_of
from portal.resources.presenters.prices import Prices

RECENT = 6
ACTIVITY = 8
ADDED_UP = 200  # services whose prices are added up: as many as a project may have unless it was given more
PRICED = ("offering_slug", "plan_slug", "spec", "spec_version", "running", "deletion_requested_at", "region__slug")


def home(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """Return services that need a look, the newest ones, activity, the month's estimate and what to order first."""
    project = current_project(request, actor)
    if project is None:
        return {"project": None, "offerings": catalog.cards()[:RECENT]}
    rows = visible_resources(actor).listed().filter(project=project)
    total = total_of(rows)
    unwell = list(rows.filter(health="unavailable")[:RECENT]) + list(rows.filter(state="failed")[:RECENT])
    activity = Event.objects.filter(resource__in=visible_resources(actor), project=project)
    return {
        "project": project,
        "is_empty": total == 0,
        "total": _words(total),
        "running": _words(total_of(rows.filter(state="running"))),
        "unwell": {row.id: row for row in unwell}.values(),
        "services": rows[:RECENT],
        "events": _lines(list(activity.select_related("resource")[:ACTIVITY])),
        "offerings": [] if total != 0 else catalog.cards()[:RECENT],
        **_month(rows, total),
    }


def _words(total: int | None) -> str:
    return f"{MOST}+" if total is None else str(total)


def _month(rows: QuerySet[Resource], total: int | None) -> dict[str, Any]:
    """Return what all services come to in a month; None where there are too many to add up while a page waits."""
    if total is None or total > ADDED_UP:
        return {"monthly": None, "added_up": ADDED_UP}
    prices = Prices()
    found = [prices.of(row) for row in rows.select_related("region").only("region", *PRICED)]
    hourly = sum((price.hourly for price in found), Decimal(0))
    return {"monthly": hourly * HOURS_PER_MONTH, "currency": found[0].currency if found else "EUR"}


def _lines(events: list[Event]) -> list[Line]:
    """Return the project's activity, each line with the service that it is about."""
    return [replace(line, detail=event.resource.name) for line, event in zip(timeline_of(events), events, strict=True)]
