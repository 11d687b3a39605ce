"""Our client on a real API server: each method, each refusal, discovery, a cluster that dies and comes back."""

import datetime
import time
from collections.abc import Iterator
from typing import Any

import pytest

from portal.clusters import adding
from portal.clusters.backends.kubernetes import breaker, client, clients, discovery, kubeconfig
from portal.clusters.backends.kubernetes.client import (
    NOT_SERVED,
    Client,
    Conflict,
    Expired,
    Refused,
    Silent,
    Stale,
)
from portal.clusters.models import Cluster
from portal.core.actors import SYSTEM
from portal.core.drivers.kubernetes import CONFIG_MAP, SECRET, Manifest, ObjectKind
from portal.core.errors import Problem
from tests.cluster.control_plane import ControlPlane

pytestmark = [pytest.mark.engine]
CLUSTER = ObjectKind("nowhere.example", "v1", "Cluster", "clusters")
NAMESPACE = ObjectKind("", "v1", "Namespace", "namespaces", namespaced=False)
OURS = {"app.kubernetes.io/managed-by": "archipel"}


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[Client]:
    made = Client(kubeconfig.read(control_plane.kubeconfig()))
    yield made
    made.close()


def a_map(namespace: str, name: str = "one", **data: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": OURS}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_an_object_is_applied_read_and_deleted(api: Client, namespace: str) -> None:
    made = api.apply(CONFIG_MAP, a_map(namespace, a="1"), force=False)
    assert (made["kind"], made["apiVersion"], made["data"]) == ("ConfigMap", "v1", {"a": "1"})
    assert made["metadata"]["managedFields"][0]["manager"] == "archipel"
    again = api.apply(CONFIG_MAP, a_map(namespace, a="1"), force=False)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    tried = api.apply(CONFIG_MAP, a_map(namespace, a="2"), force=False, dry_run=True)
    assert tried["data"] == {"a": "2"}
    found = api.get(CONFIG_MAP, namespace, "one")
    assert found is not None
    assert found["data"] == {"a": "1"}
    assert api.delete(CONFIG_MAP, namespace, "one", uid="another") is False
    assert api.delete(CONFIG_MAP, namespace, "one", uid=found["metadata"]["uid"]) is True
    assert api.get(CONFIG_MAP, namespace, "one") is None
    assert api.delete(CONFIG_MAP, namespace, "one") is False


def test_a_field_of_another_manager_is_a_conflict_that_names_it(
    api: Client, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", a_map(namespace, a="theirs"))
    with pytest.raises(Conflict) as conflict:
        api.apply(CONFIG_MAP, a_map(namespace, a="ours"), force=False)
    assert [(cause.type, cause.field) for cause in conflict.value.causes] == [("FieldManagerConflict", ".data.a")]
    assert api.apply(CONFIG_MAP, a_map(namespace, a="ours"), force=True)["data"] == {"a": "ours"}
    with pytest.raises(Conflict) as there:
        api.create(CONFIG_MAP, a_map(namespace))
    assert there.value.reason == "AlreadyExists"


def test_what_somebody_else_has_changed_is_stale(api: Client, namespace: str) -> None:
    old = api.create(CONFIG_MAP, a_map(namespace, a="1"))
    new = api.replace(CONFIG_MAP, {**old, "data": {"a": "2"}})
    assert new["data"] == {"a": "2"}
    with pytest.raises(Stale):
        api.replace(CONFIG_MAP, {**old, "data": {"a": "3"}})
    only_new = {**a_map(namespace), "metadata": {**a_map(namespace)["metadata"], "resourceVersion": "1"}}
    with pytest.raises(Stale):
        api.apply(CONFIG_MAP, only_new, force=True)


def refused(asked: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        asked()
    return error.value.status, error.value.reason


def test_each_refusal_says_what_it_is(api: Client, control_plane: ControlPlane, namespace: str) -> None:
    typo = {**a_map(namespace), "dat": {"a": "1"}}
    assert refused(lambda: api.apply(CONFIG_MAP, typo, force=True)) == (422, "Invalid")
    assert refused(lambda: api.apply(CONFIG_MAP, a_map("nowhere"), force=True)) == (404, "NotFound")
    assert refused(lambda: api.get(CLUSTER, namespace, "one")) == (404, NOT_SERVED)
    assert refused(lambda: api.list(CLUSTER)) == (404, NOT_SERVED)
    assert api.delete(CLUSTER, namespace, "one") is False
    wrong = {**a_map(namespace), "metadata": {"name": "Not Good", "namespace": namespace}}
    assert refused(lambda: api.apply(CONFIG_MAP, wrong, force=True)) == (422, "Invalid")
    nobody = Client(kubeconfig.read(control_plane.kubeconfig("nobody", ())))
    assert refused(lambda: nobody.list(SECRET)) == (403, "Forbidden")
    nobody.close()


def test_a_list_comes_page_by_page_and_may_be_of_names_only(
    api: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 2)
    for number in range(5):
        api.create(CONFIG_MAP, a_map(namespace, f"m-{number}", a="1"))
    items, version = api.list(CONFIG_MAP, namespace=namespace, selector="app.kubernetes.io/managed-by=archipel")
    assert [item["metadata"]["name"] for item in items] == [f"m-{number}" for number in range(5)]
    assert {(item["kind"], item["apiVersion"], item["data"]["a"]) for item in items} == {("ConfigMap", "v1", "1")}
    assert int(version) > 0
    names, _version = api.list(CONFIG_MAP, namespace=namespace, metadata_only=True)
    assert {(item["kind"], "data" in item) for item in names} == {("ConfigMap", False)}
    assert any(item["metadata"]["name"] == namespace for item in api.list(NAMESPACE)[0])


def test_a_watch_tells_what_happens_and_ends_when_closed(api: Client, namespace: str) -> None:
    _items, version = api.list(CONFIG_MAP)
    stream = api.watch(CONFIG_MAP, resource_version=version, selector="app.kubernetes.io/managed-by=archipel")
    names = api.watch(CONFIG_MAP, resource_version=version, metadata_only=True, timeout_seconds=1)
    api.apply(CONFIG_MAP, a_map(namespace, a="1"), force=True)
    api.delete(CONFIG_MAP, namespace, "one")
    events = iter(stream)
    told = [next(events) for _ in range(2)]
    assert [(event.type, event.object["kind"]) for event in told] == [("ADDED", "ConfigMap"), ("DELETED", "ConfigMap")]
    assert [(e.object["kind"], "data" in e.object) for e in names if e.object["metadata"].get("namespace") == namespace]
    stream.close()
    assert list(events) == []


def test_a_watch_from_too_long_ago_has_expired(api: Client) -> None:
    with pytest.raises(Expired):
        next(iter(api.watch(CONFIG_MAP, resource_version="1")))


def test_discovery_finds_version_kinds_and_rights(api: Client, control_plane: ControlPlane) -> None:
    found = discovery.look(api, {})
    assert found["version"].startswith("1.36")
    assert "Deployment" in found["apis"]["apps/v1"]
    assert found["problems"] == ["It has no default storage class, and its settings name none."]
    assert discovery._apis(api) == {name: discovery._kinds(api, name) for name in found["apis"]}
    nobody = Client(kubeconfig.read(control_plane.kubeconfig("nobody", ())))
    assert "The portal's account may not create namespaces." in discovery.look(nobody, {})["problems"]
    nobody.close()


@pytest.mark.django_db
def test_a_cluster_is_added_by_its_kubeconfig_dies_and_comes_back(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "LOOK", -1.0)
    monkeypatch.setattr(clients, "LOOK", -1.0)
    region = adding.NewRegion("real", "Real")
    text = control_plane.kubeconfig()
    cluster = adding.add_cluster(SYSTEM, name="real-1", region=region, kubeconfig=text, reason="Test")
    assert "CERTIFICATE" not in cluster.kubeconfig
    assert cluster.capabilities["version"].startswith("1.36")
    ours = clients.client_of(cluster)
    assert ours.get(NAMESPACE, "", "kube-system")
    control_plane.kill()
    for _ in range(20):
        with pytest.raises(Silent):
            ours.get(NAMESPACE, "", "kube-system")
    begun = time.monotonic()
    for _ in range(100):
        with pytest.raises(Silent):
            ours.get(NAMESPACE, "", "kube-system")
    assert time.monotonic() - begun < 2  # a hundred looks at the row, no request
    with pytest.raises(Problem, match="did not answer"):
        adding.add_cluster(SYSTEM, name="real-2", region=cluster.region, kubeconfig=text, reason="Test")
    control_plane.start_again()
    cluster.refresh_from_db()
    assert cluster.silent_since is not None
    Cluster.objects.update(retry_at=cluster.silent_since - datetime.timedelta(seconds=1))
    assert ours.get(NAMESPACE, "", "kube-system")
    cluster.refresh_from_db()
    assert (cluster.silent_since, cluster.trouble) == (None, "")
    clients.forget(cluster.id)
