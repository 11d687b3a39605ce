"""The portal's account on a real API server: with what ``deploy/kubernetes`` gives it works, beyond it is refused."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.utils import timezone

from portal.clusters.backends.kubernetes import kubeconfig, logs, metrics, rights
from portal.clusters.backends.kubernetes import watching as product
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.client import Client, Refused
from portal.clusters.models import Cluster
from portal.core.drivers.kubernetes import NETWORK_POLICY, SECRET, SERVICE, ObjectKind
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubernetes_rows import LEFT_BY, cluster_row, tenancy, turn, watching

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
Eventually = Callable[..., Any]
RBAC, ADMISSION = ("rbac.authorization.k8s.io", "v1"), ("admissionregistration.k8s.io", "v1")
KINDS = {
    kind.kind: kind
    for kind in (
        ObjectKind("", "v1", "Namespace", "namespaces", namespaced=False),
        ObjectKind("", "v1", "ServiceAccount", "serviceaccounts"),
        ObjectKind(*RBAC, "ClusterRole", "clusterroles", namespaced=False),
        ObjectKind(*RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
        ObjectKind(*RBAC, "RoleBinding", "rolebindings"),
        ObjectKind(*ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False),
        ObjectKind(
            *ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
        ),
        SECRET,
    )
}


@pytest.fixture(scope="module")
def account(control_plane: ControlPlane) -> Iterator[str]:
    """The kubeconfig of the account that the file in deploy/ makes; its fence is up before it is given away."""
    admin = Client(kubeconfig.read(control_plane.kubeconfig()))
    for document in rights.documents():
        admin.apply(KINDS[document["kind"]], document, force=True)
    text = control_plane.kubeconfig_for(rights.NAMESPACE, rights.ACCOUNT)
    portal, end = Client(kubeconfig.read(text)), time.monotonic() + 30
    while not refused(lambda: write_secret(portal, "kube-system")):
        assert time.monotonic() < end, "the fence does not come up"
    yield text
    for document in reversed(rights.documents()):
        admin.delete(KINDS[document["kind"]], document["metadata"].get("namespace", ""), document["metadata"]["name"])
    admin.close()


def refused(do: Callable[[], object]) -> int:
    """Return the status with which something is refused; 0 where it is not."""
    try:
        do()
    except Refused as error:
        return error.status
    return 0


def write_secret(client: Client, namespace: str) -> None:
    client.apply(
        SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": namespace}}, force=True
    )


def binding(namespace: str, role: str) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "name": rights.ACCOUNT, "namespace": rights.NAMESPACE}
    reference = {"apiGroup": RBAC[0], "kind": "ClusterRole", "name": role}
    metadata = {"name": f"x-{role}", "namespace": namespace}
    return {
        "apiVersion": "/".join(RBAC),
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": reference,
        "subjects": [subject],
    }


@contextmanager
def nothing_forbidden(control_plane: ControlPlane) -> Iterator[None]:
    """See that the account is refused nothing meanwhile, by the API server's own log."""
    mark, user = control_plane.audit.mark(), f"system:serviceaccount:{rights.NAMESPACE}:{rights.ACCOUNT}"
    try:
        yield
    finally:
        asked = control_plane.audit.requests(since=mark, user=user)
        assert {f"{one.verb} {one.resource}" for one in asked if one.status == 403} == set(), "it may not do this"


def left_behind(control_plane: ControlPlane, handle: str, namespace: str) -> None:
    """Make a volume claim as an operator leaves one behind."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": f"{handle}-data-0", "labels": {LEFT_BY: handle}}
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    control_plane.call("POST", path, {"metadata": metadata, "spec": spec})


def test_a_service_lives_and_ends_and_is_watched_with_these_rights(
    account: str, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    own = [SECRET, SERVICE, NETWORK_POLICY]
    monkeypatch.setattr(product, "kinds_in_use", lambda: {kind.key: kind for kind in own})
    handle, place, cluster = f"r{uuid.uuid4().hex[:11]}", tenancy(), cluster_row(account)
    backend = KubernetesBackend(cluster)
    with nothing_forbidden(control_plane), watching() as woken:
        seen = turn(backend, handle, place)
        assert {one["kind"] for one in seen} >= {"Service", "NetworkPolicy"}
        password = backend.reveal(handle, ["admin"])["admin"]["password"]
        left_behind(control_plane, handle, place.namespace)
        eventually(lambda: woken.at or len(product.Watch.objects.exclude(alive_at=None)) == len(own), within=20)
        turn(backend, handle, place, port=81, fence=2, rotation=1)
        assert backend.reveal(handle, ["admin"])["admin"]["password"] not in ("", password)
        assert logs.tail(cluster.id, handle, since=None, until=None, limit=10) == []
        with pytest.raises(metrics.NoSource):
            metrics.read(cluster.id, handle, since=timezone.now(), until=timezone.now())
        assert backend.discover()["version"]
        backend.delete(handle, fence=3)
        eventually(lambda: is_gone(backend, handle), within=30, every=0.3)


def is_gone(backend: KubernetesBackend, handle: str) -> bool:
    backend.delete(handle, fence=3)
    return not backend.leftovers(handle)


def test_beyond_them_it_is_refused(account: str, control_plane: ControlPlane) -> None:
    client, place = Client(kubeconfig.read(account)), tenancy()
    KubernetesBackend(cluster_row(account)).prepare(f"r{uuid.uuid4().hex[:11]}", place)
    write_secret(client, place.namespace)  # in its own namespace it may
    assert refused(lambda: write_secret(client, "kube-system")) in (403, 422)
    assert (
        refused(lambda: client.apply(KINDS["RoleBinding"], binding(place.namespace, "cluster-admin"), force=True))
        == 403
    )
    assert refused(lambda: client.apply(KINDS["RoleBinding"], binding("kube-system", rights.FLUX), force=True)) in (
        403,
        422,
    )
    assert refused(lambda: client.list(KINDS["ClusterRole"])) == 403
    assert refused(lambda: client.delete(KINDS["Namespace"], "", "kube-public")) in (403, 422)
    assert refused(lambda: client.delete(KINDS["Namespace"], "", rights.NAMESPACE)) in (403, 422)
    foreign = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "default", "labels": {product.SECRET.kind: "x"}},
    }
    assert refused(lambda: client.apply(KINDS["Namespace"], foreign, force=True)) in (403, 422)
    taken = {**foreign, "metadata": {"name": "default", "labels": {"app.kubernetes.io/managed-by": "archipel"}}}
    assert refused(lambda: client.apply(KINDS["Namespace"], taken, force=True)) in (403, 422), (
        "it may not take one over"
    )
    control_plane.call("DELETE", f"/api/v1/namespaces/{place.namespace}")


def test_without_the_role_it_can_do_nothing_and_says_so_in_words(control_plane: ControlPlane) -> None:
    nobody = cluster_row(control_plane.kubeconfig("nobody", ()), "nobody")
    client = Client(kubeconfig.read(control_plane.kubeconfig("nobody", ())))
    for kind in (SECRET, SERVICE, NETWORK_POLICY, KINDS["Namespace"]):
        assert refused(lambda: client.list(kind)) == 403, kind  # noqa: B023
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which of the two kinds is the backend's to say
        KubernetesBackend(nobody).prepare("nobody", tenancy())
    assert "nobody" not in str(caught.value)
    assert Cluster.objects.get(id=nobody.id).silent_since is None, "refusing is not silence"
