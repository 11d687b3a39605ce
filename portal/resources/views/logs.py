"""A service's log: the newest lines, followed by polling, filtered by text and time, or as a file."""

import datetime
import re
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import slugify

from portal.clusters import reads
from portal.clusters.backends.base import EVENT
from portal.core.errors import TemporaryError
from portal.core.htmx import wants_partial
from portal.resources.presenters.logs import Line, lines_of
from portal.resources.views.page import ServicePage, fingerprint, load, query_without, reached, show, unchanged

SHOWN, SEARCHED, DOWNLOADED = 200, 2_000, 10_000  # lines
_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Asked:
    """What part of the log is asked for; times are UTC. ``follow`` has the page ask again every two seconds."""

    text: str
    since: datetime.datetime | None
    until: datetime.datetime | None
    follow: bool


def logs(request: HttpRequest, service_id: str) -> HttpResponse:
    """Show the newest lines; with nothing new, a poll is answered by 204."""
    page = load(request, service_id)
    asked = _asked(request)
    lines, warnings, problem = _read(page, asked)
    mark = fingerprint(
        [(line.at, line.text) for line in lines[-3:]], len(lines), [(line.at, line.text) for line in warnings], problem
    )
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    query = query_without(request, "seen")
    text_query = query.urlencode()
    query["seen"] = mark
    context = {
        "asked": asked,
        "lines": lines,
        "warnings": warnings,
        "problem": problem,
        "poll_url": f"{request.path}?{query.urlencode()}",
        "text_url": f"{page.url('logs_text')}?{text_query}",
        "since_text": _clock(asked.since),
        "until_text": _clock(asked.until),
    }
    return show(page, "logs", "partials/log" if wants_partial(request) else "service_logs", context)


def _asked(request: HttpRequest) -> Asked:
    """Read the filters; a form that was sent without the tick does not follow."""
    query = request.GET
    until = _moment(query.get("until", ""))
    follow = until is None and ("follow" in query or "q" not in query)
    return Asked(query.get("q", "").strip()[:200], _moment(query.get("since", "")), until, follow)


def _moment(text: str) -> datetime.datetime | None:
    """Read what a ``datetime-local`` field sends, as UTC; what is no time is none."""
    try:
        found = parse_datetime(text) if _CLOCK.match(text) else None
    except ValueError:
        return None
    return timezone.make_aware(found, datetime.UTC) if found and timezone.is_naive(found) else found


def _clock(moment: datetime.datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}" if moment else ""


def _read(page: ServicePage, asked: Asked) -> tuple[list[Line], list[Line], str]:
    """Return the lines and what the cluster itself warns of, or why there are none."""
    row = page.resource
    limit = SEARCHED if asked.text else SHOWN
    try:
        found = reads.logs(row.cluster, row.handle, since=asked.since, until=asked.until, limit=limit)
    except TemporaryError as error:
        return [], [], str(error)
    written = [line for line in found if line.source != EVENT]
    warnings = [line for line in found if line.source == EVENT]
    return lines_of(written, asked.text)[-SHOWN:], lines_of(warnings), ""


def download(request: HttpRequest, service_id: str) -> HttpResponse:
    """Send the log as a text file."""
    page = load(request, service_id)
    asked, row = _asked(request), page.resource
    found = reached(lambda: reads.logs(row.cluster, row.handle, since=asked.since, until=asked.until, limit=DOWNLOADED))
    text = "".join(f"{line.stamp}{line.text}\n" for line in lines_of(found, asked.text))
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(row.name)}.log"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
