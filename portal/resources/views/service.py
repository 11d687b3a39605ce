"""A service's overview, and the live head that all its pages share."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django_htmx.http import trigger_client_event

from portal.core import ids
from portal.core.htmx import toast, wants_partial
from portal.core.templatetags.states import word
from portal.resources import queries
from portal.resources.actions import is_cancellable
from portal.resources.models import Event, Operation, Resource
from portal.resources.presenters.activity import running_of, timeline_of
from portal.resources.presenters.connections import is_awaited
from portal.resources.presenters.facts import facts_of
from portal.resources.presenters.notices import notices_of
from portal.resources.presenters.prices import Prices
from portal.resources.presenters.words import operation_words
from portal.resources.views.page import (
    CHANGED,
    HEAD_SECONDS,
    ServicePage,
    fingerprint,
    head_mark,
    load,
    show,
    unchanged,
)

RECENT = 6


def overview(request: HttpRequest, service_id: str) -> HttpResponse:
    """Show a service; while it is on its way, its progress."""
    page = load(request, service_id)
    running, newest = _operations(page)
    events = list(queries.activity(page.resource)[:RECENT])
    parts = list(queries.parts(page.resource)) if page.resource.may_have_parts else []
    mark = fingerprint(_mark(page, running, newest, events), [[part.name, part.state, part.health] for part in parts])
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    context = {
        "mark": mark,
        "running": [running_of(row, is_cancellable=page.may_operate and is_cancellable(row)) for row in running],
        "notices": notices_of(page.resource, newest, page.permissions),
        "events": timeline_of(events),
        "endpoints": _endpoints(page.resource),
        "price": Prices().of(page.resource),
        "plan": page.resource.plan,
        "disk_gib": max(getattr(page.resource.load_spec(), "disk_gib", None) or 0, page.resource.plan.disk_gib),
        "facts": facts_of(page.resource),
        "parts": parts,
    }
    return show(page, "overview", "partials/overview" if wants_partial(request) else "service_overview", context)


def _endpoints(resource: Resource) -> list[dict[str, object]]:
    """Return the ways in, once there is somebody behind them: an address is known before."""
    found: list[dict[str, object]] = resource.facts.get("endpoints", [])
    return [] if is_awaited(resource) else found


def _operations(page: ServicePage) -> tuple[list[Operation], Operation | None]:
    """Return what runs now, and the newest operation on the whole service."""
    rows = queries.operations(page.resource)
    running = list(rows.filter(state__in=Operation.OPEN).order_by("id"))
    return running, rows.filter(lane="lifecycle").first()


def _mark(page: ServicePage, running: list[Operation], newest: Operation | None, events: list[Event]) -> str:
    row = page.resource
    return fingerprint(
        [row.state, row.health, row.revision, row.conditions, row.facts],
        [[str(operation.id), operation.state, operation.steps, operation.message] for operation in running],
        [str(newest.id), newest.state] if newest else [],
        str(events[0].id) if events else "",
    )


def header(request: HttpRequest, service_id: str) -> HttpResponse:
    """Answer the head's poll; an operation that has ended since the last one is told in a quiet toast."""
    page = load(request, service_id)
    head = page.header()
    mark = head_mark(page.resource, head)
    ended = _ended(page, request.GET.get("operation", ""))
    if ended is None and (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    context = {"header": head, "service": page.resource, "offering": page.resource.offering}
    context |= {"header_mark": mark, "head_seconds": HEAD_SECONDS}
    response = trigger_client_event(render(request, "resources/partials/header.html", context), CHANGED)
    return response if ended is None else _tell(response, ended)


def _ended(page: ServicePage, public_id: str) -> Operation | None:
    """Return the operation that the page showed as running, if it has ended."""
    key = ids.decode("op", public_id)
    operation = queries.operations(page.resource).filter(id=key).first() if key else None
    return None if operation is None or operation.is_open else operation


def _tell(response: HttpResponse, operation: Operation) -> HttpResponse:
    words = {"what": operation_words(operation), "state": str(word(operation.state).label).lower()}
    tones = {Operation.State.SUCCEEDED: "success", Operation.State.CANCELLED: "info"}
    return toast(response, _("%(what)s: %(state)s") % words, tones.get(Operation.State(operation.state), "danger"))
