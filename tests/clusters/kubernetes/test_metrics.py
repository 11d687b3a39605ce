"""A service's load on Kubernetes: from Prometheus, from metrics.k8s.io, or said to be nowhere."""

import datetime

import pytest

from portal.clusters.backends.base import Series
from portal.clusters.backends.kubernetes import metrics
from portal.clusters.models import Cluster, Inventory
from portal.core.errors import PermanentError, TemporaryError
from tests.clusters.kubernetes.conftest import HANDLE
from tests.clusters.kubernetes.played import PlayedPods, Recorded, pod

NOON = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
PODS = "/apis/metrics.k8s.io/v1beta1/namespaces/prj-1/pods"


def read(cluster: Cluster, handle: str = HANDLE) -> list[Series]:
    return metrics.read(cluster.id, handle, since=NOON, until=NOON + datetime.timedelta(hours=1))


def test_prometheus_is_asked_for_this_service_alone(cluster: Cluster, played: PlayedPods) -> None:
    played.pods[f"app={HANDLE}"] = [pod("p-1", "engine", "exporter")]
    answers = {
        "cpu_cores": [[1000, "0.25"], [1030, "NaN"], [1060, "0.5"]],
        "memory_bytes": [[1000, "1024"]],
    }
    with Recorded(answers).serving() as prometheus:
        Cluster.objects.update(settings={"prometheus_url": f"{prometheus.url}/"})
        assert read(cluster) == [
            Series("cpu_percent", "percent", ((1000.0, 25.0), (1060.0, 50.0))),  # two containers of half a core each
            Series("memory_bytes", "bytes", ((1000.0, 1024.0),)),
        ]
    [asked] = prometheus.asked
    assert asked["query"].count(f'namespace="prj-1",pod=~"(.+-)?{HANDLE}(-.+)?"') == 2
    assert f'namespace="prj-1",persistentvolumeclaim=~"(.+-)?{HANDLE}(-.+)?"' in asked["query"]
    assert (asked["start"], asked["end"], asked["step"]) == ("1795608000.0", "1795611600.0", "30")


def test_a_prometheus_that_fails_is_said_to_and_a_hostile_name_never_asks_it(
    cluster: Cluster, played: PlayedPods
) -> None:
    with Recorded({}, status=503).serving() as prometheus:
        Cluster.objects.update(settings={"prometheus_url": prometheus.url})
        with pytest.raises(TemporaryError, match="metrics do not answer"):
            read(cluster)
        Inventory.objects.update(handle='a"} or up')
        before = len(prometheus.asked)
        with pytest.raises(PermanentError):
            read(cluster, 'a"} or up')
        assert len(prometheus.asked) == before
    Inventory.objects.update(handle=HANDLE)
    with pytest.raises(TemporaryError, match="metrics do not answer"):
        read(cluster)  # nobody listens there any more


def test_without_prometheus_there_is_one_point_of_now(cluster: Cluster, played: PlayedPods) -> None:
    played.pods[f"app={HANDLE}"] = [pod("p-1", "engine")]
    usage = [{"name": "engine", "usage": {"cpu": "125000000n", "memory": "2Ki"}}]
    played.answers[PODS] = {
        "items": [
            {"metadata": {"name": "p-1"}, "timestamp": "2026-11-25T12:00:00Z", "containers": usage},
            {"metadata": {"name": "another"}, "timestamp": "2026-11-25T12:00:09Z", "containers": usage},
        ]
    }
    at = NOON.timestamp()
    assert read(cluster) == [
        Series("cpu_percent", "percent", ((at, 25.0),)),
        Series("memory_bytes", "bytes", ((at, 2048.0),)),
    ]


def test_without_any_source_that_is_said(cluster: Cluster, played: PlayedPods) -> None:
    with pytest.raises(metrics.NoSource, match="no source of metrics"):
        read(cluster)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("2", 2.0),
        ("1Ki", 1024.0),
        ("1.5Gi", 1.5 * 2**30),
        ("100M", 1e8),
        ("1e3", 1e3),
        ("x", 0),
        ("1Zi", 0),
    ],
)
def test_quantities_are_numbers(text: str, number: float) -> None:
    assert metrics.quantity(text) == number
