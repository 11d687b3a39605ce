"""What is refused before anything is asked of a cluster: manifests that reach beyond their service."""

from typing import Any, cast

import pytest

from portal.clusters.backends.base import Wanted
from portal.clusters.backends.kubernetes.applying import apply
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.models import Cluster, Inventory, Namespace, Region
from portal.core.drivers.kubernetes import CONFIG_MAP, VOLUME_CLAIM, Leftover, ObjectKind, manifest
from portal.core.errors import PermanentError
from portal.core.ids import uuid7

pytestmark = pytest.mark.django_db
HANDLE = "abcdefghijkl"


class Nobody:
    """A cluster that must not be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the cluster was asked: {name}")


@pytest.fixture
def backend() -> KubernetesBackend:
    region = Region.objects.create(slug="dev", name="Development")
    cluster = Cluster.objects.create(region=region, name="dev", kind="kubernetes")
    Namespace.objects.create(cluster=cluster, name="prj-1", project_id=uuid7(), digest="x")
    Inventory.objects.create(cluster=cluster, handle=HANDLE, namespace="prj-1")
    return KubernetesBackend(cluster, client=cast(Client, Nobody()))


def config_map(name: str, **metadata: str) -> Any:
    found = manifest(CONFIG_MAP, name, {})
    found["metadata"] |= metadata
    return found


@pytest.mark.parametrize(
    "item, why",
    [
        (config_map("other"), "does not begin with its handle"),
        (config_map(f"{HANDLE}s-own"), "does not begin with its handle"),
        (config_map(HANDLE, namespace="kube-system"), "says a namespace"),
        (manifest(ObjectKind("example.org", "v1", "Odd", "odds"), HANDLE, {}), "Odd"),
        (Leftover(VOLUME_CLAIM, "app=all"), "does not name its handle"),
    ],
)
def test_a_driver_can_not_reach_beyond_its_service(backend: KubernetesBackend, item: Any, why: str) -> None:
    with pytest.raises((ValueError, KeyError), match=why):
        backend.apply(Wanted(HANDLE, 1, 1, [item]))
    assert Inventory.objects.get().entries == {}


def test_one_object_can_not_be_asked_for_twice(backend: KubernetesBackend) -> None:
    with pytest.raises(ValueError, match="of the same object"):
        backend.apply(Wanted(HANDLE, 1, 1, [config_map(HANDLE), config_map(HANDLE)]))


def test_what_is_being_deleted_takes_no_wishes(backend: KubernetesBackend) -> None:
    place = backend._place(HANDLE)
    Inventory.objects.update(deleting=True)
    backend.apply(Wanted(HANDLE, 1, 1, [config_map(HANDLE)]))
    assert place is not None
    apply(place, Wanted(HANDLE, 1, 1, [config_map(HANDLE)]))  # read before it was said
    with pytest.raises(PermanentError, match="was deleted"):
        backend.ensure_secrets(HANDLE, [])
    assert Inventory.objects.get().entries == {}


def test_what_can_not_be_had_here_says_so(backend: KubernetesBackend) -> None:
    for ask in (
        lambda: backend.artifact(HANDLE, "x"),
        backend.ca_pem,
        lambda: backend.put_document(HANDLE, "d", 1, []),
    ):
        with pytest.raises(PermanentError, match=r"\.$"):
            ask()
    assert backend.documents(HANDLE) == {}
    assert backend.read("unknownhandl") == []
    assert backend.leftovers("unknownhandl") == []
