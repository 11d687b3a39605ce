"""The watch on a real API server: news within a second, breaks and restarts without a gap, nothing secret kept."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from portal.clusters.backends.kubernetes import seen
from portal.clusters.backends.kubernetes import watching as product
from portal.clusters.models import Cluster, SeenObject
from portal.core.drivers.kubernetes import HANDLE_LABEL, MANAGED_BY, MANAGER, SECRET, SERVICE
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubernetes_rows import Woken, cluster_row, watching

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
Eventually = Callable[..., Any]
SERVICES = "/api/v1/namespaces/default/services"
CONDITION = {
    "type": "Ready", "status": "True", "reason": "Played", "message": "", "lastTransitionTime": "2026-11-25T12:00:00Z",
}  # fmt: skip


@pytest.fixture
def handle() -> str:
    return f"w{uuid.uuid4().hex[:10]}1"  # some tests have a second one, which ends with 2


@pytest.fixture
def cluster(control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(product, "kinds_in_use", lambda: {SECRET.key: SECRET, SERVICE.key: SERVICE})
    return cluster_row(control_plane.kubeconfig())


def labelled(name: str, handle: str, **rest: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {MANAGED_BY: MANAGER, HANDLE_LABEL: handle}}, **rest}


def service(handle: str, port: int = 80) -> dict[str, Any]:
    return labelled(handle, handle, spec={"ports": [{"port": port}], "clusterIP": "None"})


def is_followed(cluster: Cluster) -> bool:
    return seen.watched(cluster.id, timezone.now()) >= {SECRET.key, SERVICE.key}


def patch(control_plane: ControlPlane, name: str, body: Any, path: str = "") -> None:
    control_plane.call("PATCH", f"{SERVICES}/{name}{path}", body, content="application/merge-patch+json")


def test_whatever_happens_to_an_object_is_known_within_a_second(
    control_plane: ControlPlane, cluster: Cluster, handle: str, eventually: Eventually
) -> None:
    with watching() as woken:
        eventually(lambda: is_followed(cluster), within=20)
        status = {"status": {"conditions": [CONDITION]}}
        doings: list[Callable[[], None]] = [
            lambda: control_plane.call("POST", SERVICES, service(handle)),
            lambda: patch(control_plane, handle, {"metadata": {"annotations": {"a": "b"}}}),
            lambda: patch(control_plane, handle, status, "/status"),
            lambda: control_plane.call("DELETE", f"{SERVICES}/{handle}"),
        ]
        for number, do in enumerate(doings):
            began = time.monotonic()
            do()
            late = eventually(lambda: woken.since(handle, began), within=5)  # noqa: B023
            assert late < 1.0, number
            assert bool(seen.objects(cluster.id, handle)) == (number < 3)
            eventually(lambda: time.monotonic() > began + 2 * product.QUIET_SECONDS)  # noqa: B023
        control_plane.call("POST", SERVICES, {**service("nobodys"), "metadata": {"name": f"{handle}-x"}})
        control_plane.call("DELETE", f"{SERVICES}/{handle}-x")
    assert not SeenObject.objects.filter(name=f"{handle}-x").exists()


def test_of_secrets_only_names_cross_the_wire(
    control_plane: ControlPlane, cluster: Cluster, handle: str, eventually: Eventually
) -> None:
    path = "/api/v1/namespaces/default/secrets"
    control_plane.call("POST", path, labelled(f"{handle}-a", handle, stringData={"password": "hunter2hunter2"}))
    with watching():
        eventually(lambda: SeenObject.objects.filter(name=f"{handle}-a").exists(), within=20)
        eventually(lambda: is_followed(cluster), within=20)
        control_plane.call("POST", path, labelled(f"{handle}-b", handle, stringData={"password": "hunter2hunter2"}))
        eventually(lambda: SeenObject.objects.filter(name=f"{handle}-b").exists(), within=5)
    for name in ("a", "b"):
        content = seen.objects(cluster.id, handle)[0 if name == "a" else 1]
        assert (content["kind"], content["apiVersion"], content["metadata"]["name"]) == (
            "Secret",
            "v1",
            f"{handle}-{name}",
        )
        assert not {"data", "stringData"} & content.keys()
        control_plane.call("DELETE", f"{path}/{handle}-{name}")


def test_what_happened_while_nobody_watched_is_found_afterwards(
    control_plane: ControlPlane, cluster: Cluster, handle: str, eventually: Eventually
) -> None:
    with watching():
        eventually(lambda: is_followed(cluster), within=20)
        control_plane.call("POST", SERVICES, service(handle))
        eventually(lambda: seen.objects(cluster.id, handle), within=5)
    control_plane.call("DELETE", f"{SERVICES}/{handle}")
    control_plane.call("POST", SERVICES, service(f"{handle[:-1]}2"))
    mark = control_plane.audit.mark()
    with watching() as woken:
        eventually(lambda: not seen.objects(cluster.id, handle), within=20)
        eventually(lambda: woken.at.keys() >= {handle, f"{handle[:-1]}2"}, within=5)
    asked = {
        request.verb
        for request in control_plane.audit.requests(since=mark, agent="archipel")
        if request.resource == "services"
    }
    assert asked <= {"watch"}, "it goes on from where it stopped, without a list"
    control_plane.call("DELETE", f"{SERVICES}/{handle[:-1]}2")


def test_what_the_first_list_does_not_show_is_gone(
    control_plane: ControlPlane, cluster: Cluster, handle: str, eventually: Eventually
) -> None:
    control_plane.call("POST", SERVICES, service(handle))
    ghost = {"metadata": {"namespace": "default", "name": "ghost", "uid": "u", "resourceVersion": "1"}}
    seen.note(cluster.id, "ghostly", SERVICE, ghost)
    with watching() as woken:
        eventually(lambda: is_followed(cluster), within=30)
        eventually(lambda: seen.objects(cluster.id, handle) and not seen.objects(cluster.id, "ghostly"), within=30)
        eventually(lambda: {"ghostly", handle} <= woken.at.keys(), within=5)
    control_plane.call("DELETE", f"{SERVICES}/{handle}")


def test_an_api_server_that_dies_and_comes_back_leaves_no_gap(
    control_plane: ControlPlane, cluster: Cluster, handle: str, eventually: Eventually
) -> None:
    with watching() as woken:
        eventually(lambda: is_followed(cluster), within=20)
        control_plane.kill()
        try:
            eventually(lambda: Cluster.objects.get(id=cluster.id).silent_since, within=20)
        finally:
            control_plane.start_again()
        control_plane.call("POST", SERVICES, service(handle))
        eventually(lambda: woken.at.get(handle), within=90)
        assert seen.objects(cluster.id, handle)
    control_plane.call("DELETE", f"{SERVICES}/{handle}")


def test_a_dead_cluster_beside_it_costs_the_living_one_nothing(
    control_plane: ControlPlane, cluster: Cluster, handle: str, eventually: Eventually
) -> None:
    dead = cluster_row(control_plane.kubeconfig(server="https://127.0.0.1:1"), "dead")
    with watching() as woken:
        eventually(lambda: is_followed(cluster) and Cluster.objects.get(id=dead.id).silent_since, within=20)
        began = time.monotonic()
        control_plane.call("POST", SERVICES, service(handle))
        assert eventually(lambda: woken.since(handle, began), within=5) < 1.0
        assert SERVICE.key not in seen.watched(dead.id, timezone.now())
    control_plane.call("DELETE", f"{SERVICES}/{handle}")


def test_the_wakes_are_few_while_one_service_changes_all_the_time(
    control_plane: ControlPlane, cluster: Cluster, handle: str, eventually: Eventually
) -> None:
    control_plane.call("POST", SERVICES, service(handle))
    with watching() as woken:
        eventually(lambda: is_followed(cluster) and woken.at.get(handle), within=20)
        began, number = time.monotonic(), 0
        while time.monotonic() < began + 1.0:
            number += 1
            patch(control_plane, handle, {"metadata": {"annotations": {"n": str(number)}}})
        eventually(lambda: seen.objects(cluster.id, handle)[0]["metadata"]["annotations"]["n"] == str(number), within=5)
        assert count(woken, handle, began) <= 2 + (time.monotonic() - began) / product.QUIET_SECONDS
    control_plane.call("DELETE", f"{SERVICES}/{handle}")


def count(woken: Woken, handle: str, since: float) -> int:
    return sum(at >= since for at in woken.at[handle])
