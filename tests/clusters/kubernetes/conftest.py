"""A Kubernetes cluster with one service on it, an offering whose pods can be found, and a played API server."""

from dataclasses import dataclass
from typing import Any

import pytest

from portal.clusters.backends.kubernetes import pods
from portal.clusters.models import Cluster, Inventory, Region
from portal.core import registry
from portal.core.drivers.kubernetes import CONFIG_MAP, KubernetesDriver, ObjectKind
from tests.clusters.kubernetes.played import PlayedPods

HANDLE = "abcdefgh2345"


@dataclass(frozen=True)
class SomeDriver(KubernetesDriver):
    kinds: tuple[ObjectKind, ...] = (CONFIG_MAP,)

    def pods(self, handle: str) -> str:
        return f"app={handle}"


@dataclass(frozen=True)
class SomeOffering:
    drivers: dict[str, Any]


@pytest.fixture
def cluster(db: None) -> Cluster:
    region = Region.objects.create(slug="far", name="Far")
    return Cluster.objects.create(region=region, name="far-1", kind=Cluster.Kind.KUBERNETES)


@pytest.fixture
def played(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> PlayedPods:
    """The API server of ``cluster``, where one service has a ConfigMap."""
    Inventory.objects.create(
        cluster=cluster, handle=HANDLE, namespace="prj-1", entries={f"v1/ConfigMap/{HANDLE}": {}, "v1/Secret/x": {}}
    )
    offerings = {"some": SomeOffering({"kubernetes": SomeDriver()}), "local": SomeOffering({"local": object()})}
    monkeypatch.setattr(registry, "offerings", lambda: offerings)
    client = PlayedPods()
    monkeypatch.setattr(pods, "client_of", lambda _cluster: client)
    return client
