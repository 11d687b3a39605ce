"""What is seen of a service: endpoints, log, metrics and activity."""

import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.names import with_by_machine
from portal.clusters import reads
from portal.core.api.pagination import known_parameters, moment, number, page, page_of, parameter
from portal.core.api.schema import described, query
from portal.core.errors import invalid
from portal.resources import queries
from portal.resources.access import access_resource
from portal.resources.api.shapes import (
    EndpointJson,
    EventJson,
    LogLineJson,
    SeriesJson,
    event_json,
    line_json,
    series_json,
)

LINES, MOST_LINES = 200, 2000
HOUR = datetime.timedelta(hours=1)
TIME = {"type": "string", "format": "date-time"}
SINCE, UNTIL = query("since", "From this time on (RFC 3339).", TIME), query("until", "Before this time.", TIME)
LIMIT = query("limit", "The newest lines.", {"type": "integer", "minimum": 1, "maximum": MOST_LINES, "default": LINES})


@described("GET", "endpoints_list", "Ways in", answer=EndpointJson, paged=True)
@api_view(["GET"])
def endpoints(request: Request, service: str) -> Response:
    """List host, port, TLS and usage of each way in."""
    resource = access_resource(actor_of(request), service, "service.read")
    return page_of(request, resource.facts.get("endpoints", []), dict)


@described("GET", "logs_read", "The log", answer=LogLineJson, many=True, parameters=[SINCE, UNTIL, LIMIT])
@api_view(["GET"])
def logs(request: Request, service: str) -> Response:
    """Return the newest lines of the log, oldest first; of the source `event`: what the region's cluster warns of."""
    resource = access_resource(actor_of(request), service, "service.read")
    known_parameters(request, "since", "until", "limit")
    since, until = _range(request)
    limit = number(request, "limit", default=LINES, least=1, most=MOST_LINES)
    lines = reads.logs(resource.cluster, resource.handle, since=since, until=until, limit=limit)
    return _whole([line_json(line) for line in lines])


@described("GET", "metrics_read", "Metrics", answer=SeriesJson, many=True, parameters=[SINCE, UNTIL])
@api_view(["GET"])
def metrics(request: Request, service: str) -> Response:
    """Return the series of a range, the last hour where none is given."""
    resource = access_resource(actor_of(request), service, "service.read")
    known_parameters(request, "since", "until", "limit")
    since, until = _range(request)
    until = until or timezone.now()
    store = import_string(settings.METRICS)()
    series = store.query(resource.cluster, resource.handle, since=since or until - HOUR, until=until)
    return _whole([series_json(one) for one in series])


@described("GET", "events_list", "Activity", answer=EventJson, paged=True, parameters=[SINCE, UNTIL])
@api_view(["GET"])
def events(request: Request, service: str) -> Response:
    """List what happened to a service, newest first."""
    resource = access_resource(actor_of(request), service, "service.read")
    since, until = _range(request)
    rows = with_by_machine(queries.activity(resource), "actor_id")
    rows = rows if since is None else rows.filter(at__gte=since)
    rows = rows if until is None else rows.filter(at__lt=until)
    return page(request, rows, event_json, sorts={"at": "pk"}, default="-at", filters=("since", "until"))


def _range(request: Request) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    since, until = moment(request, "since"), moment(request, "until")
    if since is not None and until is not None and since > until:
        raise invalid(parameter("since", "out_of_range", _("This is later than “until”.")))
    return since, until


def _whole(items: list[object]) -> Response:
    """Return a list that has no further page."""
    return Response({"items": items, "next_cursor": None, "total_count": len(items)})
