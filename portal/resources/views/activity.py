"""What happened to a service: its events and operations, with who began them."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from portal.core import ids
from portal.core.counting import total_of
from portal.core.htmx import wants_partial
from portal.resources import queries
from portal.resources.models import Event
from portal.resources.presenters.activity import operation_rows, timeline_of
from portal.resources.views.page import fingerprint, load, show, unchanged

PAGE, OPERATIONS = 50, 20


def activity(request: HttpRequest, service_id: str) -> HttpResponse:
    """Show the newest operations and a page of events."""
    page = load(request, service_id)
    found = list(_after(queries.activity(page.resource), request.GET.get("cursor", ""))[: PAGE + 1])
    operations = list(queries.operations(page.resource)[:OPERATIONS])
    newest = str(found[0].id) if found else ""
    mark = fingerprint(newest, [[str(row.id), row.state] for row in operations])
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    events = found[:PAGE]
    context = {
        "operations": operation_rows(operations) if "cursor" not in request.GET else [],
        "events": timeline_of(events),
        "page": {
            "items": events,
            "next_cursor": ids.encode("evt", events[-1].id) if len(found) > PAGE else "",
            "total_count": total_of(queries.activity(page.resource)),
        },
        "mark": mark,
    }
    return show(page, "activity", "partials/activity" if wants_partial(request) else "service_activity", context)


def _after(events: QuerySet[Event], cursor: str) -> QuerySet[Event]:
    """Return what is older than the cursor's event; a broken cursor begins at the beginning."""
    key = ids.decode("evt", cursor)
    return events.filter(id__lt=key) if key else events
