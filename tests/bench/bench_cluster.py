"""1,000 PostgreSQL in one cluster: objects per second beside a bare loop of the official client and beside kubectl.

The real API server, CloudNativePG played. The loop and kubectl apply the same objects by server-side apply, half of
them before and half after the workers' turn, in mirrored order, so that the machine is the same for all. They do less
than the portal: they make no passwords, keep no inventory, no database and no record of what was seen. Each is one
process, the portal's workers are three, so processor time stands beside: kubectl's with its start, the workers' without
theirs and without the database server's. ``BENCH_SERVICES`` says how many other than 1,000. Rest and memory as well.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from apps.databases.offerings.postgresql.kubernetes import kinds
from portal.accounts.models import User
from portal.clusters.models import Cluster, Inventory
from portal.core.actors import Actor
from portal.projects.models import Project
from portal.resources import actions, engine, tasks
from portal.resources.engine import claim, drift
from portal.resources.models import Resource
from tests.bench import processor
from tests.bench.cluster_clients import Applied, applied, bare_loop, kubectl, kubectl_version, served_by
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
BESIDE = "beside-"  # how the namespaces of the loop and of kubectl begin
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
        self.pid, self.memory = self._process.pid, 0

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


# ---- the measurements ------------------------------------------------------------------------------------------------


def test_a_cluster_full_of_postgresql(rows: list[Resource], cluster: Cluster, control_plane: ControlPlane) -> None:
    version, half = kubectl_version(), len(rows) // 2
    loop = applied(bare_loop, control_plane, rows[:half], f"{BESIDE}loop-before")
    command = applied(kubectl, control_plane, rows[:half], f"{BESIDE}kubectl-before")
    with running("watch", 1) as watches:
        with running("worker", WORKERS) as workers:
            portal, watching = written(control_plane, workers, watches[0], len(rows))
            with Operator(control_plane.kubeconfig(), pace=0.05) as operator:
                answered = until(lambda: _clusters(operator) == len(rows))
                ready = until(lambda: Resource.objects.filter(state="running").count() == len(rows))
                until(lambda: not Resource.objects.exclude(next_reconcile_at=None).exists())
        command_after = applied(kubectl, control_plane, rows[half:], f"{BESIDE}kubectl-after")
        loop_after = applied(bare_loop, control_plane, rows[half:], f"{BESIDE}loop-after")
        asked = at_rest(control_plane, rows)
    print()
    print(
        f"{len(rows)} PostgreSQL, {portal.objects} objects in {portal.took:.1f} s by {WORKERS} workers: "
        f"{portal.rate:.1f} a second"
    )
    beside("bare loop", portal, loop, loop_after)
    beside(f"kubectl {version}", portal, command, command_after)
    dear("bare loop", loop + loop_after)
    dear("kubectl", command + command_after)
    dear("workers", portal)
    print(f"processor time of the watch meanwhile: {watching / portal.objects * 1000:.2f} ms an object")
    print(f"the operator took {answered:.1f} s to answer all; the last service ran {ready:.1f} s after that")
    print(f"a full sweep and a turn of each at rest: {sum(asked.values())} requests {dict(asked)}")
    print(f"memory: worker {max(one.memory for one in workers)} MiB, watch {watches[0].memory} MiB")
    assert not asked


def written(
    control_plane: ControlPlane, workers: list[Running], watch: Running, services: int
) -> tuple[Applied, float]:
    """Let the workers begin, and wait until all is written; return that, and the watch's processor time meanwhile."""
    mark = control_plane.audit.mark()
    of_workers, of_watch = processor.Used(one.pid for one in workers), processor.Used([watch.pid])
    of_server = processor.Used(served_by(control_plane))
    Resource.objects.update(next_reconcile_at=timezone.now())
    took = until(lambda: Inventory.objects.exclude(digest="").count() == services)
    spent = of_workers.seconds(), of_server.seconds()
    return Applied(_written(control_plane, mark), took, *spent), of_watch.seconds()


def beside(name: str, portal: Applied, before: Applied, after: Applied) -> None:
    """Print what a client did, and how many times as fast the portal is."""
    both = before + after
    print(f"{name}: {both.rate:.1f} a second ({before.rate:.1f} before, {after.rate:.1f} after)")
    print(f"ratio to {name}: {portal.rate / both.rate:.2f}")


def dear(name: str, done: Applied) -> None:
    """Print the processor time of an object."""
    client, server = done.client / done.objects * 1000, done.server / done.objects * 1000
    print(f"processor time of {name}: {client:.2f} ms an object; API server and etcd: {server:.2f} ms")


def _clusters(operator: Operator) -> int:
    """Return how many database clusters of the portal the operator has called ready: it answers the others as well."""
    answered = [(kind, namespace) for _api, kind, namespace, _name in list(operator.answered)]
    return sum(1 for kind, namespace in answered if kind == kinds.CLUSTER.kind and not namespace.startswith(BESIDE))


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
