"""A region on the real API server whose toys are ordered, and what goes over the wire to each API server."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
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
from tests.cluster.crds import Installed
from tests.cluster.faults.site import Site
from tests.cluster.faults.wire import Wait, Wire
from tests.cluster.kubernetes_rows import cluster_row
from tests.cluster.toy import LONELY_TOY, TOY_ON_KUBERNETES
from tests.fixtures import limit


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy can be ordered, no broker is asked, and what earlier tests have left in this process is gone."""
    found = {**registry.offerings(), "toy": TOY_ON_KUBERNETES, "lonely-toy": LONELY_TOY}
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
def played(site: Site, crds: Installed, tmp_path: Path) -> Iterator[None]:
    """PostgreSQL can be ordered. Its operator is played by another process: a test that forks has no threads."""
    served: dict[str, list[str]] = {}
    for kind in crds.kinds:
        served.setdefault(kind.api_version, []).append(kind.kind)
    store = {"bucket_class": "backups", "s3_endpoint": "https://s3.example.org"}
    capabilities = {"version": "1.36.3", "apis": served}
    Cluster.objects.filter(id=site.cluster.id).update(capabilities=capabilities, settings=store)
    site.cluster.refresh_from_db()
    config = tmp_path / "kubeconfig"
    config.write_text(site.control_plane.kubeconfig())
    command = [sys.executable, "-m", "tests.cluster.played_operator", "--kubeconfig", str(config)]
    with subprocess.Popen([*command, "--mood", "healthy", "--pace", "0.05"], cwd=settings.BASE_DIR) as operator:
        yield
        operator.terminate()


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
