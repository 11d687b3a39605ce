"""What ``/metrics`` tells of customers: how many there are, and whether somebody waits for an answer."""

from collections.abc import Iterator

from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from portal.projects.inviting import open_invitations
from portal.projects.models import Organization, QuotaRequest


class Requests(Collector):
    """Open requests for more, and how long the oldest has waited."""

    def collect(self) -> Iterator[Metric]:
        waiting = QuotaRequest.objects.filter(state=QuotaRequest.State.OPEN).order_by()
        found = waiting.aggregate(number=Count("id"), oldest=Min("created_at"))
        age = (timezone.now() - found["oldest"]).total_seconds() if found["oldest"] else 0.0
        yield _gauge("archipel_quota_requests_open", "Requests for a higher limit without an answer.", found["number"])
        yield _gauge("archipel_quota_requests_open_seconds", "How long the oldest of them has waited.", max(age, 0.0))


class Organizations(Collector):
    """Organizations by whether they are closed, and invitations that nobody has answered yet."""

    def collect(self) -> Iterator[Metric]:
        counted = Organization.objects.aggregate(all=Count("id"), closed=Count("id", filter=Q(closed_at__isnull=False)))
        found = GaugeMetricFamily("archipel_organizations", "Organizations.", labels=["closed"])
        found.add_metric(["false"], counted["all"] - counted["closed"])
        found.add_metric(["true"], counted["closed"])
        yield found
        waiting = open_invitations().count()
        yield _gauge("archipel_invitations_open", "Invitations that can still be accepted.", waiting)


def _gauge(name: str, words: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, words)
    family.add_metric([], value)
    return family


COLLECTORS = (Requests(), Organizations())
