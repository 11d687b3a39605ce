"""A region on the real API server whose toys are ordered, and what goes over the wire to each API server."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client.rest import RESTClientObject

from portal.accounts.models import User
from portal.clusters import registry as backends
from portal.clusters.backends.kubernetes import clients, tenancy
from portal.clusters.models import Cluster
from portal.core import registry
from portal.core.actors import Actor
from portal.projects.models import Project
from portal.resources import tasks
from tests.cluster.control_plane import ControlPlane
from tests.cluster.faults.site import Site
from tests.cluster.faults.wire import Wait, Wire
from tests.cluster.kubernetes_rows import cluster_row
from tests.cluster.toy import TOY_ON_KUBERNETES
from tests.fixtures import limit


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy can be ordered, no broker is asked, and what earlier tests have left in this process is gone."""
    found = {**registry.offerings(), "toy": TOY_ON_KUBERNETES}
    monkeypatch.setattr(registry, "offerings", lambda: found)
    monkeypatch.setattr(tasks, "enqueue", lambda _id: None)
    tenancy.forget()
    yield
    for cluster_id in list(clients._held):
        clients.forget(cluster_id)
    backends._backend.cache_clear()


@pytest.fixture
def cluster(transactional_db: None, toy: None, control_plane: ControlPlane) -> Cluster:
    return cluster_row(control_plane.kubeconfig())


@pytest.fixture
def actor(developer: User, actor_of: Callable[..., Actor]) -> Actor:
    return actor_of(developer)


@pytest.fixture
def site(actor: Actor, project: Project, cluster: Cluster, control_plane: ControlPlane) -> Site:
    for resource in ("services", "vcpu", "memory_mib", "storage_gib"):
        limit(project, 10_000_000, resource)
    return Site(actor, project, cluster, control_plane)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """``tell(line)``: say a figure in the run's output, and keep it in its report."""

    def say(line: str) -> None:
        record_property("figures", line)
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return say


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    found, request = Wire(), RESTClientObject.request

    def timed(self: Any, method: str, url: str, **more: Any) -> Any:
        began = time.monotonic()
        try:
            return request(self, method, url, **more)
        finally:
            found.note(url, Wait(began, time.monotonic()))

    monkeypatch.setattr(RESTClientObject, "request", timed)
    return found
