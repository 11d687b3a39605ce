"""Deletion on a real API server: in order, with what operators leave behind, and proven by the API server itself."""

import contextlib
import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from portal.clusters.backends.base import Tenancy, Wanted
from portal.clusters.backends.kubernetes import deleting
from portal.clusters.backends.kubernetes.answers import Refused, Stale
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.backends.kubernetes.groundwork import NAMESPACE
from portal.clusters.models import Inventory, Namespace, SeenObject
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import CONFIG_MAP, NETWORK_POLICY, SECRET, VOLUME_CLAIM, Leftover, manifest
from portal.core.errors import PermanentError
from tests.cluster.backend.conftest import Kill, Requests, new_handle
from tests.cluster.toy import CLAIM, LEFT_BY, config_map

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def left_behind(api: Client, place: Tenancy, handle: str, of: str) -> None:
    """Make what an operator would leave behind."""
    claim = manifest(VOLUME_CLAIM, f"data-{handle}-{uuid.uuid4().hex[:5]}", CLAIM)
    claim["metadata"] |= {"namespace": place.namespace, "labels": {LEFT_BY: of}}
    api.create(VOLUME_CLAIM, claim)


def rendered_of(handle: str) -> list[Any]:
    return [
        GeneratedSecret("admin"),
        config_map(handle),
        manifest(VOLUME_CLAIM, f"{handle}-data", CLAIM),
        config_map(f"{handle}-child"),
        Leftover(VOLUME_CLAIM, f"{LEFT_BY}={handle}"),
    ]


def unprotect(api: Client, place: Tenancy) -> None:
    """Do at once what the controller of volume claims does: nothing uses them, so let them go. It may be faster."""
    for claim in api.list(VOLUME_CLAIM, namespace=place.namespace)[0]:
        if claim["metadata"].get("deletionTimestamp") and claim["metadata"].pop("finalizers", None):
            with contextlib.suppress(Refused, Stale):
                api.replace(VOLUME_CLAIM, claim)


def gone(backend: KubernetesBackend, api: Client, place: Tenancy, handle: str, fence: int = 5) -> bool:
    """Take one turn of a deletion; whether nothing is left."""
    backend.delete(handle, fence=fence)
    left = backend.leftovers(handle)
    unprotect(api, place)
    return not left


def test_everything_goes_and_the_rows_with_it_but_nothing_of_others(
    backend: KubernetesBackend, turn: Callable[..., Any], api: Client, place: Tenancy, handle: str, eventually: Any
) -> None:
    turn(rendered_of(handle))
    left_behind(api, place, handle, of=handle)
    left_behind(api, place, "other", of="other")
    eventually(lambda: gone(backend, api, place, handle), within=30)
    claims = [one["metadata"]["name"] for one in api.list(VOLUME_CLAIM, namespace=place.namespace)[0]]
    assert len(claims) == 1
    assert claims[0].startswith("data-other-")
    assert api.list(SECRET, namespace=place.namespace, selector="app.kubernetes.io/managed-by=archipel")[0] == []
    assert api.get(NAMESPACE, "", place.namespace)
    assert not Inventory.objects.filter(handle=handle).exists()
    assert not SeenObject.objects.filter(handle=handle).exists()
    assert backend.leftovers(handle) == []


def test_a_child_that_waits_keeps_the_root_until_it_is_gone(
    backend: KubernetesBackend, turn: Callable[..., Any], api: Client, place: Tenancy, handle: str, requests: Requests
) -> None:
    child = config_map(f"{handle}-child")
    child["metadata"]["finalizers"] = ["toy.example/held"]
    claim = manifest(VOLUME_CLAIM, f"{handle}-data", CLAIM)
    turn([config_map(handle), claim, child])
    backend.delete(handle, fence=2)
    assert f"ConfigMap {handle}-child" in backend.leftovers(handle)
    assert api.get(CONFIG_MAP, place.namespace, handle)
    with pytest.raises(PermanentError, match="was deleted"):
        turn([config_map(handle)], fence=3)
    there = api.get(CONFIG_MAP, place.namespace, f"{handle}-child")
    assert there is not None
    del there["metadata"]["finalizers"]
    api.replace(CONFIG_MAP, there)
    for _ in range(5):
        if gone(backend, api, place, handle):
            break
    assert api.get(CONFIG_MAP, place.namespace, handle) is None
    assert backend.leftovers(handle) == []


def test_an_older_turn_deletes_nothing(
    backend: KubernetesBackend, turn: Callable[..., Any], api: Client, place: Tenancy, handle: str
) -> None:
    turn([config_map(handle)], fence=7)
    backend.delete(handle, fence=6)
    assert api.get(CONFIG_MAP, place.namespace, handle)
    assert backend.leftovers(handle) == [f"ConfigMap {handle}"]


def test_a_namespace_of_its_own_goes_last(
    backend: KubernetesBackend, api: Client, project: Any, handle: str, eventually: Any
) -> None:
    place = Tenancy(f"svc-{handle}", project.organization_id, project.id, own=True)
    backend.prepare(handle, place)
    backend.apply(Wanted(handle, 1, 1, [config_map(handle)]))
    eventually(lambda: gone(backend, api, place, handle), within=60, every=0.2)
    assert api.get(NAMESPACE, "", place.namespace) is None
    assert not Namespace.objects.filter(name=place.namespace).exists()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_may_be_killed_at_every_request_of_a_deletion(
    backend: KubernetesBackend, api: Client, project: Any, place: Tenancy, requests: Requests, after: bool
) -> None:
    nth = 0
    while True:
        nth += 1
        handle = new_handle()
        backend.prepare(handle, place)
        backend.ensure_secrets(handle, [GeneratedSecret("admin")])
        backend.apply(Wanted(handle, 1, 1, [config_map(handle), config_map(f"{handle}-child")]))
        requests.arm(nth, after=after)
        killed = False
        for fence in range(2, 9):
            try:
                backend.delete(handle, fence=fence)
                if not backend.leftovers(handle):
                    break
            except Kill:
                killed = True
                requests.disarm()
        requests.disarm()
        assert not Inventory.objects.filter(handle=handle).exists()
        for kind in (CONFIG_MAP, SECRET):
            assert api.list(kind, namespace=place.namespace, selector=f"archipel.eu/service={handle}")[0] == []
        if not killed:
            assert nth > 5
            return


def test_what_hangs_for_too_long_does_not_keep_the_rest_and_is_named(
    backend: KubernetesBackend, turn: Callable[..., Any], api: Client, place: Tenancy, handle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    hanging = manifest(NETWORK_POLICY, f"{handle}-in", {"podSelector": {}})
    hanging["metadata"]["finalizers"] = ["toy.example/held"]
    turn([config_map(handle), hanging])
    backend.delete(handle, fence=2)
    assert api.get(CONFIG_MAP, place.namespace, handle)
    monkeypatch.setattr(deleting, "PATIENCE", datetime.timedelta(0))
    backend.delete(handle, fence=3)
    assert api.get(CONFIG_MAP, place.namespace, handle) is None
    assert backend.leftovers(handle) == [f"NetworkPolicy {handle}-in"]
    there = api.get(NETWORK_POLICY, place.namespace, f"{handle}-in")
    assert there is not None
    del there["metadata"]["finalizers"]
    api.replace(NETWORK_POLICY, there)
    assert gone(backend, api, place, handle)
