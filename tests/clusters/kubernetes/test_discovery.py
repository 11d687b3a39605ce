"""What is found out of a cluster and when, and what /metrics and the operators' first page make of silence."""

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from portal.accounts.models import User
from portal.clusters import tasks
from portal.clusters.backends.kubernetes import clients, discovery, kubeconfig
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.models import Cluster, Region
from portal.core import vault
from portal.core.errors import TemporaryError
from tests.clusters.kubernetes.double import Double, Reply, running, status


def a_group(name: str, version: str, *kinds: str, freshness: str = "Current") -> dict[str, Any]:
    resources = [{"resource": kind.lower(), "responseKind": {"kind": kind}} for kind in kinds]
    return {
        "metadata": {"name": name},
        "versions": [{"version": version, "resources": resources, "freshness": freshness}],
    }


def aggregated(*groups: dict[str, Any]) -> Reply:
    return Reply(body={"kind": "APIGroupDiscoveryList", "items": list(groups)})


def classes(**defaults: bool) -> Reply:
    def one(name: str, is_default: bool) -> dict[str, Any]:
        marks = {"storageclass.kubernetes.io/is-default-class": "true"} if is_default else {}
        return {"metadata": {"name": name, "annotations": marks}}

    return Reply(body={"items": [one(name, is_default) for name, is_default in defaults.items()]})


def good() -> dict[str, Reply]:
    """A cluster with CloudNativePG and all rights; by the beginning of the question, longest first."""
    return {
        "GET /version": Reply(body={"gitVersion": "v1.36.3+k3s1"}),
        "GET /apis/storage.k8s.io/v1/storageclasses": classes(ceph=True, local=False),
        "POST /apis/authorization.k8s.io": Reply(body={"status": {"allowed": True}}),
        "GET /apis": aggregated(
            a_group("postgresql.cnpg.io", "v1", "Cluster", "Backup", "Cluster"),
            a_group("apps", "v1", "Deployment"),
            a_group("metrics.k8s.io", "v1beta1", "PodMetrics", freshness="Stale"),
        ),
    }


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with running(tmp_path) as found:
        found.on(good())
        yield found


@pytest.fixture
def client(double: Double) -> Iterator[Client]:
    made = Client(double.access)
    yield made
    made.close()


def test_a_cluster_tells_its_version_kinds_and_storage_classes(client: Client) -> None:
    assert discovery.look(client, {}) == {
        "version": "1.36.3+k3s1",
        "apis": {"apps/v1": ["Deployment"], "postgresql.cnpg.io/v1": ["Backup", "Cluster"]},
        "storage_classes": ["ceph", "local"],
        "default_storage_class": "ceph",
        "problems": [],
    }


def test_a_server_without_aggregated_discovery_is_asked_group_by_group(double: Double, client: Client) -> None:
    versions = [{"groupVersion": "postgresql.cnpg.io/v1"}, {"groupVersion": "broken.example/v1"}]
    groups = {"kind": "APIGroupList", "groups": [{"name": "x", "versions": versions}]}
    kinds = [{"name": "clusters", "kind": "Cluster"}, {"name": "clusters/status", "kind": "Cluster"}]
    answers = {**good(), "GET /apis/postgresql": Reply(body={"resources": kinds})}
    answers |= {"GET /apis/broken": status(404, "NotFound")}
    del answers["GET /apis"]
    double.on({**answers, "GET /apis": Reply(body=groups)})
    assert discovery.look(client, {})["apis"] == {"broken.example/v1": [], "postgresql.cnpg.io/v1": ["Cluster"]}


@pytest.mark.parametrize(
    ("change", "said", "words"),
    [
        ({"GET /version": Reply(body={"gitVersion": "v1.24.1"})}, {}, "at least 1.27"),
        ({"GET /version": Reply(body={"gitVersion": ""})}, {}, "can't be read"),
        ({"GET /apis/storage.k8s.io/v1/storageclasses": classes(local=False)}, {}, "no default storage class"),
        ({}, {"storage_class": "gone"}, "no storage class gone"),
        ({"GET /apis/storage.k8s.io/v1/storageclasses": status(403, "Forbidden")}, {}, "may not read storage"),
        ({"POST /apis/authorization": Reply(body={"status": {"allowed": False}})}, {}, "may not create namespaces"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(
    double: Double, client: Client, change: dict[str, Reply], said: dict[str, Any], words: str
) -> None:
    double.on({**change, **good()} if "POST /apis/authorization" in change else {**good(), **change})
    assert words in " ".join(discovery.look(client, said)["problems"])
    double.on({**good(), "GET /apis/storage.k8s.io/v1/storageclasses": classes(local=False)})
    assert discovery.look(client, {"storage_class": "local"})["problems"] == []


def test_rights_that_can_not_be_asked_for_are_no_problem(double: Double, client: Client) -> None:
    double.on({**good(), "POST /apis/authorization.k8s.io": status(403, "Forbidden")})
    assert discovery.look(client, {})["problems"] == []


class Looked:
    """Stands in for backends: answers at once, or does not."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def __call__(self, cluster: Cluster) -> "Looked":
        self.name = cluster.name
        return self

    def discover(self) -> dict[str, Any]:
        found = self.found[self.name]
        if isinstance(found, Exception):
            raise found
        return dict(found)


@pytest.fixture
def clusters(db: None) -> dict[str, Cluster]:
    region = Region.objects.create(slug="eu", name="Europe")
    made = {"here": "local", "one": "kubernetes", "two": "kubernetes", "three": "kubernetes"}
    return {name: Cluster.objects.create(region=region, name=name, kind=kind) for name, kind in made.items()}


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Looked:
    made = Looked()
    monkeypatch.setattr(tasks, "backend_of", made)
    return made


def test_each_cluster_is_looked_at_by_a_task_of_its_own_and_a_silent_one_not_before_its_time(
    clusters: dict[str, Cluster], looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(tasks.discover_one, "delay", sent.append)
    looked.found = {"here": {"packages": {}}, "one": TemporaryError("silent"), "two": {"version": "1.36.3"}}
    now, minute = timezone.now(), datetime.timedelta(minutes=1)
    Cluster.objects.filter(name="three").update(silent_since=now - minute, retry_at=now + minute)
    Cluster.objects.filter(name="one").update(silent_since=now - minute, retry_at=now - minute)
    tasks.discover()
    assert sorted(sent) == sorted(str(clusters[name].id) for name in ("one", "two"))
    for cluster_id in sent:
        tasks.discover_one(cluster_id)
    found = dict(Cluster.objects.values_list("name", "capabilities"))
    assert found == {"here": {"packages": {}}, "one": {}, "two": {"version": "1.36.3"}, "three": {}}
    Cluster.objects.update(enabled=False)
    looked.found = {}
    tasks.discover_one(sent[0])
    tasks.discover()


def test_what_breaks_keeps_what_was_known(clusters: dict[str, Cluster], looked: Looked) -> None:
    looked.found = {"two": {"version": "1.36.3"}}
    tasks.discover_one(str(clusters["two"].id))
    stamp = Cluster.objects.get(name="two").discovered_at
    tasks.discover_one(str(clusters["two"].id))
    looked.found = {"two": KeyError("a bug")}
    tasks.discover_one(str(clusters["two"].id))
    row = Cluster.objects.get(name="two")
    assert (row.capabilities, row.discovered_at) == ({"version": "1.36.3"}, stamp)


def test_silence_is_in_the_metrics_and_on_the_operators_first_page(
    clusters: dict[str, Cluster], operator: User, client_of: Callable[[User], Browser]
) -> None:
    now = timezone.now()
    Cluster.objects.update(discovered_at=now)
    Cluster.objects.filter(name="two").update(silent_since=now - datetime.timedelta(minutes=1))
    Cluster.objects.filter(name="here").update(capabilities={"supervised": False})
    Cluster.objects.filter(name="three").update(enabled=False)
    text = Browser(REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("archipel_cluster"))
    up = {
        name: lines.get(f'archipel_cluster_up{{cluster="{name}",kind="{row.kind}"}}') for name, row in clusters.items()
    }
    assert up == {"here": "0.0", "one": "1.0", "two": "0.0", "three": None}
    silent = float(lines['archipel_cluster_silent_seconds{cluster="two",kind="kubernetes"}'])
    assert 60 <= silent < 90
    page = client_of(operator).get("/admin/")
    counts = {str(seen.look.title): seen.count for seen in page.context["looks"]}
    assert counts["Clusters that are down"] == 2


def test_a_row_is_looked_at_with_its_own_settings(clusters: dict[str, Cluster], double: Double) -> None:
    sealed = vault.seal(kubeconfig.written(double.access))
    Cluster.objects.filter(name="one").update(kubeconfig=sealed, settings={"storage_class": "gone"})
    found = discovery.discover(clusters["one"].id)
    assert found["problems"] == ["There is no storage class gone, which its settings name."]
    clients.forget(clusters["one"].id)
