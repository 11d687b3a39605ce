"""A service's metrics: charts over a range, live, with the numbers in tables."""

import datetime
from typing import Protocol

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.clusters.backends.base import Series
from portal.clusters.models import Cluster
from portal.core.errors import PermanentError, TemporaryError
from portal.core.htmx import wants_partial
from portal.resources.presenters.metrics import charts_of
from portal.resources.tabs import Tab
from portal.resources.views.page import ServicePage, fingerprint, load, show, unchanged

RANGES = {"15m": datetime.timedelta(minutes=15), "1h": datetime.timedelta(hours=1)}
POLL_SECONDS = 15


class Metrics(Protocol):
    """Who answers ``settings.METRICS``."""

    def query(
        self, cluster: Cluster, handle: str, *, since: datetime.datetime, until: datetime.datetime
    ) -> list[Series]: ...


def metrics(request: HttpRequest, service_id: str) -> HttpResponse:
    """Show the charts; a source that does not answer is said so in their place."""
    page = load(request, service_id)
    chosen = request.GET.get("range", "15m")
    chosen = chosen if chosen in RANGES else "15m"
    series, problem, absence = _query(page, RANGES[chosen])
    charts = charts_of(page.resource.offering, series)
    mark = fingerprint(chosen, problem, absence, [[str(chart.times[-1:]), len(chart.times)] for chart in charts])
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    context = {
        "charts": charts,
        "has_data": any(chart.times for chart in charts),
        "problem": problem,
        "absence": absence,
        "ranges": _ranges(page, chosen),
        "poll_url": f"{request.path}?range={chosen}&seen={mark}",
        "poll_every": POLL_SECONDS,
    }
    return show(page, "metrics", "partials/metrics" if wants_partial(request) else "service_metrics", context)


def _query(page: ServicePage, span: datetime.timedelta) -> tuple[list[Series], str, str]:
    """Return the series, what keeps them away at the moment, and why there never are any."""
    source: Metrics = import_string(settings.METRICS)()
    now, row = timezone.now(), page.resource
    try:
        return source.query(row.cluster, row.handle, since=now - span, until=now), "", ""
    except TemporaryError as error:
        return [], str(error), ""
    except PermanentError as error:
        return [], "", str(error)


def _ranges(page: ServicePage, chosen: str) -> list[Tab]:
    titles = {"15m": _("15 minutes"), "1h": _("1 hour")}
    return [Tab(slug, titles[slug], f"{page.url('metrics')}?range={slug}", slug == chosen) for slug in RANGES]
