"""What ``/metrics`` tells of the audit log: whether sealing keeps up."""

from collections.abc import Iterator

from django.db.models import Count, Max, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from portal.audit.models import AuditEvent, Head


class Sealing(Collector):
    """Rows that wait for their seal, how long the oldest has, and when one was last sealed."""

    def collect(self) -> Iterator[Metric]:
        waiting = AuditEvent.objects.unsealed().order_by().aggregate(number=Count("id"), oldest=Min("at"))
        age = (timezone.now() - waiting["oldest"]).total_seconds() if waiting["oldest"] else 0.0
        last = Head.objects.running().order_by().aggregate(at=Max("at"))["at"]
        yield _gauge("archipel_audit_unsealed", "Audit rows that wait for their seal.", waiting["number"])
        yield _gauge("archipel_audit_unsealed_seconds", "How long the oldest of them has waited.", max(age, 0.0))
        if last:
            yield _gauge(
                "archipel_audit_sealed_timestamp_seconds", "When audit rows were last sealed.", last.timestamp()
            )


def _gauge(name: str, words: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, words)
    family.add_metric([], value)
    return family


COLLECTORS = (Sealing(),)
