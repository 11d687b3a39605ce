"""What ``/metrics`` tells of clusters, read from the rows at that moment: the same from each process."""

from collections.abc import Iterator

from django.db.models import Count, Q
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from portal.clusters.backends.kubernetes.seen import FRESH
from portal.clusters.models import Cluster, Watch


class Clusters(Collector):
    """1 for each cluster that answers, 0 for each that does not, and for how long it has not."""

    def collect(self) -> Iterator[Metric]:
        labels = ["cluster", "kind"]
        up = GaugeMetricFamily("archipel_cluster_up", "Whether a cluster that takes orders answers.", labels=labels)
        silent = GaugeMetricFamily(
            "archipel_cluster_silent_seconds", "For how long it has not answered.", labels=labels
        )
        now = timezone.now()
        for cluster in Cluster.objects.filter(enabled=True).defer("kubeconfig"):
            since = cluster.silent_since
            is_up = since is None and cluster.discovered_at is not None and _is_supervised(cluster)
            up.add_metric([cluster.name, cluster.kind], float(is_up))
            silent.add_metric([cluster.name, cluster.kind], (now - since).total_seconds() if since else 0.0)
        yield up
        yield silent


class Watches(Collector):
    """How many kinds of objects are followed in each Kubernetes cluster; of others turns ask the API server."""

    def collect(self) -> Iterator[Metric]:
        help_ = "Kinds of objects that are watched (followed=1), or are to be and are not."
        watches = GaugeMetricFamily("archipel_cluster_watches", help_, labels=["cluster", "followed"])
        alive = Count("id", filter=Q(alive_at__gt=timezone.now() - FRESH))
        rows = Watch.objects.values("cluster__name").annotate(alive=alive, all=Count("id")).order_by("cluster__name")
        for row in rows:
            watches.add_metric([row["cluster__name"], "1"], row["alive"])
            watches.add_metric([row["cluster__name"], "0"], row["all"] - row["alive"])
        yield watches


def _is_supervised(cluster: Cluster) -> bool:
    return cluster.capabilities.get("supervised") is not False


COLLECTORS = (Clusters(), Watches())
