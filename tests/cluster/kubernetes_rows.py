"""The rows that the portal has of the tests' control plane, a service of plain objects, and the watch beside a test."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from portal.clusters.backends.base import Tenancy, Wanted
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.watching import Watching
from portal.clusters.models import Cluster, Region
from portal.core import vault
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import NETWORK_POLICY, SERVICE, VOLUME_CLAIM, Leftover, manifest
from portal.projects.models import Organization, Project

LEFT_BY = "left.example/of"  # label of what "an operator" leaves behind


def cluster_row(kubeconfig: str, name: str = "real", **fields: Any) -> Cluster:
    """Return a Kubernetes cluster that is reached by a kubeconfig."""
    region, _ = Region.objects.get_or_create(slug="real", name="Real")
    sealed = vault.seal(kubeconfig)
    return Cluster.objects.create(region=region, name=name, kind=Cluster.Kind.KUBERNETES, kubeconfig=sealed, **fields)


def tenancy() -> Tenancy:
    """Return the place of a new project's services."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    organization = Organization.objects.create(slug=name, name=name)
    project = Project.objects.create(organization=organization, slug=name, name=name)
    return Tenancy(f"prj-{name}", organization.id, project.id)


def rendered(handle: str, port: int = 80, rotation: int = 0) -> list[Any]:
    """Return a service of objects that every API server serves."""
    ports = {"ports": [{"port": port}], "selector": {"app": handle}}
    policy = {"podSelector": {"matchLabels": {"app": handle}}, "policyTypes": ["Ingress"]}
    secret = GeneratedSecret("admin", ("password",), rotation=rotation)
    left = Leftover(VOLUME_CLAIM, f"{LEFT_BY}={handle}")
    return [secret, manifest(SERVICE, handle, ports), manifest(NETWORK_POLICY, f"{handle}-in", policy), left]


def turn(
    backend: KubernetesBackend, handle: str, place: Tenancy, port: int = 80, fence: int = 1, rotation: int = 0
) -> list[Any]:
    """Do what one turn of the engine asks of a backend; return what is seen."""
    objects = rendered(handle, port, rotation)
    backend.prepare(handle, place)
    backend.ensure_secrets(handle, [one for one in objects if isinstance(one, GeneratedSecret)])
    backend.apply(Wanted(handle, fence, port, objects))
    return backend.read(handle)


class Woken:
    """The services that the watch has woken, and when (monotonic seconds)."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = {}

    def __call__(self, handle: str) -> None:
        self.at.setdefault(handle, []).append(time.monotonic())

    def since(self, handle: str, moment: float) -> float | None:
        """Return how many seconds after a moment a service was first woken; None where it was not."""
        return next((at - moment for at in self.at.get(handle, ()) if at >= moment), None)


@contextmanager
def watching() -> Iterator[Woken]:
    """Run the watch in a thread beside the test."""
    woken, stop = Woken(), threading.Event()

    def run() -> None:
        try:
            Watching(woken).run(stop)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield woken
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
