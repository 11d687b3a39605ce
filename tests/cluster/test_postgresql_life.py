"""One PostgreSQL on the real API server, with CloudNativePG played by hand: ordered, used, stopped, deleted, gone.

What is looked at here is the operator's ways that no other service has: hibernation, finalizers that only a running
primary takes away, a certificate authority of the service's own.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.databases.offerings.postgresql import OFFERING
from apps.databases.offerings.postgresql.kubernetes import kinds
from portal.accounts.models import User
from portal.clusters import registry as backends
from portal.clusters.backends.kubernetes import clients, tenancy
from portal.clusters.models import Cluster
from portal.core.actors import Actor
from portal.core.drivers import ObjectKind
from portal.core.drivers.kubernetes import SECRET
from portal.projects.models import Project
from portal.resources import actions, engine, tasks
from portal.resources.engine import claim
from portal.resources.models import Resource
from tests.cluster.control_plane import ControlPlane
from tests.cluster.crds import Installed
from tests.cluster.kubernetes_rows import cluster_row

pytestmark = pytest.mark.django_db
HEALTHY = "Cluster in healthy state"
READY = {"type": "Ready", "status": "True", "reason": "ClusterIsReady", "message": ""}
AWAKE = "2026-11-25T00:00:00Z"


class Operator:
    """CloudNativePG, as far as this test needs it: it writes status, makes the authority and keeps finalizers."""

    def __init__(self, control_plane: ControlPlane, namespace: str, handle: str) -> None:
        self.api, self.namespace, self.handle = control_plane, namespace, handle

    def path(self, kind: ObjectKind, name: str = "") -> str:
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        return f"{root}/namespaces/{self.namespace}/{kind.plural}" + (f"/{name}" if name else "")

    def all(self, kind: ObjectKind) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.call("GET", self.path(kind))["items"]
        return found

    def says(self, kind: ObjectKind, name: str, **status: Any) -> None:
        self.patch(f"{self.path(kind, name)}/status", {"status": status})

    def patch(self, path: str, body: dict[str, Any]) -> None:
        self.api.call("PATCH", path, body, content="application/merge-patch+json")

    def is_well(self, nodes: int, *more: dict[str, Any]) -> None:
        primary = f"{self.handle}-1"
        conditions = [{**one, "lastTransitionTime": AWAKE} for one in (READY, *more)]
        same = {"currentPrimary": primary, "targetPrimary": primary, "conditions": conditions}
        self.says(kinds.CLUSTER, self.handle, phase=HEALTHY, instances=nodes, readyInstances=nodes, **same)

    def applies_parts(self) -> None:
        for kind in (kinds.ROLE, kinds.DATABASE):
            for item in self.all(kind):
                meta = item["metadata"]
                self.patch(self.path(kind, meta["name"]), {"metadata": {"finalizers": ["cnpg.io/played"]}})
                self.says(kind, meta["name"], applied=True, observedGeneration=meta["generation"])

    def makes_authority(self) -> None:
        data = {"ca.crt": base64.b64encode(b"CERTIFICATE").decode()}
        self.api.call("POST", self.path(SECRET), {"metadata": {"name": f"{self.handle}-ca"}, "data": data})

    def lets_go(self) -> None:
        """Take the finalizers away, as it does once it sees that their cluster is gone."""
        for kind in (kinds.ROLE, kinds.DATABASE):
            for item in self.all(kind):
                self.patch(self.path(kind, item["metadata"]["name"]), {"metadata": {"finalizers": None}})
        authority = [item for item in self.all(SECRET) if item["metadata"]["name"] == f"{self.handle}-ca"]
        for item in authority:
            self.api.call("DELETE", self.path(SECRET, item["metadata"]["name"]))


@pytest.fixture
def region(
    db: None, control_plane: ControlPlane, crds: Installed, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    monkeypatch.setattr(tasks, "enqueue", lambda _id: None)
    served: dict[str, list[str]] = {}
    for kind in kinds.KINDS:
        served.setdefault(kind.api_version, []).append(kind.kind)
    store = {"bucket_class": "backups", "s3_endpoint": "https://s3.example.org"}
    tenancy.forget()
    yield cluster_row(control_plane.kubeconfig(), capabilities={"version": "1.36.3", "apis": served}, settings=store)
    clients._held.clear()
    backends._backend.cache_clear()


@pytest.fixture
def actor(developer: User, actor_of: Callable[..., Actor]) -> Actor:
    return actor_of(developer)


def turned(row: Resource, times: int = 1) -> Resource:
    for _turn in range(times):
        claim.wake(handle=row.handle)
        engine.reconcile(row.id)
    return Resource.objects.get(id=row.id)


def words(row: Resource) -> str:
    return next(one["message"] for one in row.conditions if one["type"] == "Ready")


def test_a_postgresql_lives_on_kubernetes(
    region: Cluster, control_plane: ControlPlane, project: Project, actor: Actor
) -> None:
    request = actions.OrderRequest(
        name="orders", offering="postgresql", plan="ha-8", region="real", spec={"pooler": "transaction"}
    )
    row = turned(actions.order(actor, project=project, request=request).resource)
    operator = Operator(control_plane, engine.view.namespace_of(row), row.handle)
    assert [item["metadata"]["name"] for item in operator.all(kinds.CLUSTER)] == [row.handle], row.conditions
    assert (row.state, words(row)) == ("provisioning", "Waiting for the database operator to take the order up.")
    password = next(item for item in operator.all(SECRET) if "user-" in item["metadata"]["name"])
    assert password["type"] == "kubernetes.io/basic-auth"
    assert base64.b64decode(password["data"]["username"]) == b"admin"

    operator.says(kinds.CLUSTER, row.handle, phase="Creating a new replica", readyInstances=1)
    row = turned(row)
    assert words(row) == "Waiting for another node to copy the data. 1 of 3 nodes are ready."

    operator.is_well(3)
    operator.applies_parts()
    operator.says(kinds.POOLER, f"{row.handle}-pooler", phase="active")
    operator.makes_authority()
    row = turned(row, times=4)
    assert (row.state, row.health) == ("running", "healthy"), row.conditions
    shown = actions.reveal(actor, row.children.get(kind="users"))
    assert shown["ca_pem"] == "CERTIFICATE"
    assert str(shown["password"]) in str(shown["uri"])
    assert f"@{row.handle}-rw.{operator.namespace}.svc:5432/defaultdb" in str(shown["uri"])

    actions.stop(actor, row)
    row = turned(row)
    asked = operator.all(kinds.CLUSTER)[0]["metadata"]["annotations"]
    assert asked["cnpg.io/hibernation"] == "on"
    assert operator.all(kinds.POOLER) == []
    assert row.state == "stopping"
    asleep = {"type": "cnpg.io/hibernation", "status": "True", "reason": "Hibernated", "message": ""}
    operator.is_well(3, asleep)
    assert turned(row).state == "stopped"

    actions.delete(actor, Resource.objects.get(id=row.id), policy="wipe")
    row = turned(row, times=2)
    assert operator.all(kinds.CLUSTER) == [], "the cluster goes before what hangs on its finalizers"
    assert operator.all(kinds.ROLE), "a role waits for its finalizer"
    assert row.purged_at is None
    operator.lets_go()
    row = turned(row, times=6)
    assert row.purged_at is not None, row.conditions
    for kind in kinds.KINDS:
        left = [item for item in operator.all(kind) if item["metadata"]["name"].startswith(row.handle)]
        assert left == []
    assert not [item for item in operator.all(SECRET) if item["metadata"]["name"].startswith(row.handle)]
    assert OFFERING.capabilities.stop.on("kubernetes")
