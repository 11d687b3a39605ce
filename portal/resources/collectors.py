"""What ``/metrics`` tells of services and the engine, read from the rows at that moment: the same from each process."""

import datetime
from collections.abc import Iterator

from django.db.models import Avg, Count, F, Max, Min, Q
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from portal.resources.engine import latency
from portal.resources.models import Operation, Resource
from portal.resources.stuck import stuck

RECENT = datetime.timedelta(hours=1)


class Services(Collector):
    """How many services there are by offering, state and health, and how many the engine fails to bring along."""

    def collect(self) -> Iterator[Metric]:
        services = GaugeMetricFamily("archipel_services", "Services.", labels=["offering", "state", "health"])
        living = Resource.objects.filter(purged_at=None).order_by()
        for offering, state, health, number in living.values_list("offering_slug", "state", "health").annotate(
            Count("id")
        ):
            services.add_metric([offering, state, health], number)
        yield services
        failing = living.filter(failures__gt=0).aggregate(number=Count("id"), most=Max("failures"))
        yield _gauge("archipel_services_failing", "Services whose last turn failed.", failing["number"])
        yield _gauge("archipel_reconcile_failures_in_a_row", "The most failed turns in a row.", failing["most"] or 0)


class Engine(Collector):
    """How far the engine is behind: services that are due, and for how long the oldest has been."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lte=now)
        due = Resource.objects.filter(free, next_reconcile_at__lte=now).aggregate(Count("id"), Min("next_reconcile_at"))
        oldest = due["next_reconcile_at__min"]
        yield _gauge("archipel_reconcile_due", "Services that wait for a turn.", due["id__count"])
        lag = (now - oldest).total_seconds() if oldest else 0.0
        yield _gauge("archipel_reconcile_lag_seconds", "How long the oldest of them has waited.", lag)
        buckets, total = latency.counted()
        if buckets:
            turns = HistogramMetricFamily("archipel_reconcile_seconds", "Duration of the engine's turns.")
            turns.add_metric([], buckets, total)
            yield turns


class Operations(Collector):
    """Operations by type and state, and how long those of the last hour took."""

    def collect(self) -> Iterator[Metric]:
        counted = CounterMetricFamily("archipel_operations", "Operations that were begun.", labels=["type", "state"])
        rows = Operation.objects.order_by().values_list("type", "state").annotate(Count("id"))
        for kind, state, number in rows:
            counted.add_metric([kind, state], number)
        yield counted
        late = stuck().count()
        yield _gauge("archipel_operations_stuck", "Open operations that take far longer than expected.", late)
        took = GaugeMetricFamily(
            "archipel_operation_seconds", "Duration of the last hour's operations.", labels=["type", "figure"]
        )
        recent = Operation.objects.filter(finished_at__gte=timezone.now() - RECENT).order_by()
        duration = F("finished_at") - F("created_at")
        for kind, mean, most in recent.values_list("type").annotate(mean=Avg(duration), most=Max(duration)):
            took.add_metric([kind, "mean"], mean.total_seconds())
            took.add_metric([kind, "max"], most.total_seconds())
        yield took


def _gauge(name: str, words: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, words)
    family.add_metric([], value)
    return family


COLLECTORS = (Services(), Engine(), Operations())
