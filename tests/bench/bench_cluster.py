"""1,000 PostgreSQL in one cluster: objects per second beside a bare loop of the official client, rest, memory.

The real API server, CloudNativePG played. The loop applies the same objects, half of them before and half after the
workers' turn, so that the machine is the same. ``BENCH_SERVICES`` says how many other than 1,000.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import yaml
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from kubernetes import client, config, dynamic

from apps.databases.offerings.postgresql.kubernetes import kinds
from portal.accounts.models import User
from portal.clusters.models import Cluster, Inventory
from portal.core.actors import Actor
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import HANDLE_LABEL, MANAGED_BY, SECRET, Manifest, secret_name
from portal.projects.models import Project
from portal.resources import actions, engine, tasks
from portal.resources.engine import claim, drift, view
from portal.resources.models import Resource
from tests.cluster.conftest import control_plane, crds
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubernetes_rows import cluster_row
from tests.cluster.played_operator import Operator
from tests.fixtures import limit
from tests.journeys.instance import ROOT

__all__ = ["control_plane", "crds"]
pytestmark = [pytest.mark.engine, pytest.mark.full, pytest.mark.django_db(transaction=True)]
SERVICES = int(os.environ.get("BENCH_SERVICES", "1000"))
WORKERS = 3  # as ``manage.py worker`` starts
PORTAL = "portal"  # the user that the portal is to the API server
WITHIN = 3600.0  # seconds
WAIT = 0.05


@pytest.fixture
def cluster(transactional_db: None, control_plane: ControlPlane, crds: Any, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(tasks, "enqueue", lambda _id: None)
    served: dict[str, list[str]] = {}
    for kind in kinds.KINDS:
        served.setdefault(kind.api_version, []).append(kind.kind)
    capabilities = {"version": "1.36.3", "apis": served}
    kubeconfig = control_plane.kubeconfig(PORTAL, ("system:masters",))
    return cluster_row(kubeconfig, capabilities=capabilities)


@pytest.fixture
def rows(cluster: Cluster, project: Project, developer: User, actor_of: Callable[..., Actor]) -> list[Resource]:
    """Ordered, and not worked at yet."""
    for resource in ("services", "vcpu", "memory_mib", "storage_gib"):
        limit(project, 10_000_000, resource)
    actor, asked = (
        actor_of(developer),
        actions.OrderRequest(name="", offering="postgresql", plan="dev-2", region="real"),
    )
    for number in range(SERVICES):
        actions.order(actor, project=project, request=replace(asked, name=f"pg-{number}"))
    Resource.objects.update(next_reconcile_at=None)  # until the workers have started
    return list(Resource.objects.select_related("cluster", "project", "region"))


class Running:
    """A process of the portal beside the benchmark; after ``end`` it has told its greatest memory, in MiB."""

    def __init__(self, what: str) -> None:
        own = connection.settings_dict
        database = f"postgresql://{own['USER']}@/{own['NAME']}?host={own['HOST']}"
        command = (sys.executable, "-m", "tests.bench.cluster_process", what)
        environment = {**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "portal.settings"}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.memory = 0

    def wait(self) -> None:
        """Wait until it works."""
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        told, _ = self._process.communicate(timeout=60)
        self.memory = int(told)


@contextmanager
def running(what: str, number: int) -> Iterator[list[Running]]:
    with ExitStack() as stack:
        found = []
        for _ in range(number):
            found.append(Running(what))
            stack.callback(found[-1].end)
        for one in found:
            one.wait()
        yield found


def until(question: Callable[[], bool]) -> float:
    """Wait for something and return for how many seconds."""
    began = time.perf_counter()
    while not question():
        assert time.perf_counter() - began < WITHIN
        time.sleep(WAIT)
    return time.perf_counter() - began


# ---- the comparator --------------------------------------------------------------------------------------------------


def bare(control_plane: ControlPlane, rows: list[Resource], namespace: str) -> tuple[int, float]:
    """Apply what these services consist of by the official client, in turn; return how many objects, and seconds."""
    settings = client.Configuration()
    access = yaml.safe_load(control_plane.kubeconfig("bare", ("system:masters",)))
    config.load_kube_config_from_dict(access, client_configuration=settings)
    api = dynamic.DynamicClient(client.ApiClient(settings))
    control_plane.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    objects = [one for row in rows for one in manifests(row, namespace)]
    served = {one["kind"]: api.resources.get(api_version=one["apiVersion"], kind=one["kind"]) for one in objects}
    began = time.perf_counter()
    for one in objects:
        api.server_side_apply(
            served[one["kind"]], body=one, name=one["metadata"]["name"], namespace=namespace,
            field_manager="bare", force_conflicts=True,
        )  # fmt: skip
    return len(objects), time.perf_counter() - began


def manifests(row: Resource, namespace: str) -> list[Manifest]:
    """Return a service's objects, its secrets among them, for another namespace."""
    rendered = row.offering.drivers["kubernetes"].render(view.build(row, list(row.children.single()), running=True))
    labels = {MANAGED_BY: "bare", HANDLE_LABEL: row.handle}
    found = []
    for item in rendered:  # type: ignore[union-attr]
        if isinstance(item, GeneratedSecret):
            found.append(_secret(secret_name(row.handle, item.name), item.keys, namespace, labels))
        elif isinstance(item, dict):
            found.append({**item, "metadata": {**item["metadata"], "namespace": namespace, "labels": labels}})
    return found


def _secret(name: str, keys: Iterable[str], namespace: str, labels: dict[str, str]) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": SECRET.kind, "metadata": metadata, "stringData": dict.fromkeys(keys, "x" * 32)}


# ---- the measurements ------------------------------------------------------------------------------------------------


def test_a_cluster_full_of_postgresql(rows: list[Resource], cluster: Cluster, control_plane: ControlPlane) -> None:
    half = len(rows) // 2
    first = bare(control_plane, rows[:half], "bare-1")
    mark = control_plane.audit.mark()
    with running("watch", 1) as watches:
        with running("worker", WORKERS) as workers:
            Resource.objects.update(next_reconcile_at=timezone.now())
            took = until(lambda: Inventory.objects.exclude(digest="").count() == len(rows))
            written = _written(control_plane, mark)
            with Operator(control_plane.kubeconfig(), pace=0.05) as operator:
                answered = until(lambda: _clusters(operator) == len(rows))
                ready = until(lambda: Resource.objects.filter(state="running").count() == len(rows))
                until(lambda: not Resource.objects.exclude(next_reconcile_at=None).exists())
        second = bare(control_plane, rows[half:], "bare-2")
        asked = at_rest(control_plane, rows)
    print()
    loop = (first[0] + second[0]) / (first[1] + second[1])
    print(
        f"{len(rows)} PostgreSQL, {written} objects in {took:.1f} s by {WORKERS} workers: {written / took:.1f} a second"
    )
    print(f"bare loop: {loop:.1f} a second ({first[0] / first[1]:.1f} before, {second[0] / second[1]:.1f} after)")
    print(f"ratio {written / took / loop:.2f}")
    print(f"the operator took {answered:.1f} s to answer all; the last service ran {ready:.1f} s after that")
    print(f"a full sweep and a turn of each at rest: {sum(asked.values())} requests {dict(asked)}")
    print(f"memory: worker {max(one.memory for one in workers)} MiB, watch {watches[0].memory} MiB")
    assert not asked


def _clusters(operator: Operator) -> int:
    """Return how many database clusters the operator has called ready."""
    return sum(1 for key in list(operator.answered) if key[1] == kinds.CLUSTER.kind)


def _written(control_plane: ControlPlane, mark: int) -> int:
    """Return how many objects of services the portal has written, as the API server counted."""
    ground = {"namespaces", "resourcequotas", "limitranges", "serviceaccounts", "rolebindings"}
    found = control_plane.audit.requests(since=mark, user=PORTAL)
    written = [one for one in found if one.verb in ("patch", "create") and one.resource not in ground]
    return len({(one.resource, one.namespace, one.name) for one in written})


def at_rest(control_plane: ControlPlane, rows: list[Resource]) -> Counter[str]:
    """Sweep over everything as the beat does, and take a turn of each; return what was asked of the API server."""
    mark = control_plane.audit.mark()
    cache.delete(drift._PLACE)
    while True:
        assert not drift.drifted()
        if cache.get(drift._PLACE) is None:
            break
    for row in rows:
        claim.wake(handle=row.handle)
        engine.reconcile(row.id)
    found = control_plane.audit.requests(since=mark, user=PORTAL)
    return Counter(f"{one.verb} {one.resource}" for one in found if one.verb != "watch")
