"""Namespaces on a real API server: made once, with limits and a closed network, and never somebody else's."""

from typing import Any

import pytest

from portal.clusters.backends.base import Tenancy, Wanted
from portal.clusters.backends.kubernetes import kubeconfig, tenancy
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.client import Client, Refused
from portal.clusters.backends.kubernetes.groundwork import (
    LIMIT_RANGE,
    NAMESPACE,
    RESOURCE_QUOTA,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
)
from portal.clusters.models import Cluster, Namespace
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import CONFIG_MAP, NETWORK_POLICY, SECRET, VOLUME_CLAIM, manifest
from portal.core.errors import PermanentError, TemporaryError
from portal.projects.models import Project, Quota
from tests.cluster.backend.conftest import Requests
from tests.cluster.toy import CLAIM, config_map

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def policies(api: Client, place: Tenancy) -> dict[str, Any]:
    found, _ = api.list(NETWORK_POLICY, namespace=place.namespace)
    return {one["metadata"]["name"]: one["spec"] for one in found}


def test_a_namespace_has_labels_limits_a_closed_network_and_an_account(
    backend: KubernetesBackend, api: Client, place: Tenancy, handle: str, project: Project
) -> None:
    Quota.objects.create(organization=project.organization, project=project, resource="vcpu", limit=10)
    Quota.objects.create(organization=project.organization, resource="vcpu", limit=8)
    Quota.objects.create(organization=project.organization, project=project, resource="memory_mib", limit=1024)
    backend.prepare(handle, place)
    namespace = api.get(NAMESPACE, "", place.namespace)
    assert namespace is not None
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["archipel.eu/project"] == str(project.id)
    quota = api.get(RESOURCE_QUOTA, place.namespace, "archipel")
    assert quota is not None
    hard = quota["spec"]["hard"]
    assert (hard["requests.cpu"], hard["limits.memory"], hard["pods"]) == ("12", "1536Mi", "3200")
    assert "requests.storage" not in hard
    assert api.get(LIMIT_RANGE, place.namespace, "archipel")
    assert api.get(SERVICE_ACCOUNT, place.namespace, "archipel-flux")
    binding = api.get(ROLE_BINDING, place.namespace, "archipel-flux")
    assert binding is not None
    assert binding["subjects"][0]["namespace"] == place.namespace
    rules = policies(api, place)
    assert rules["archipel-deny"]["podSelector"] == {}
    assert rules["archipel-deny"]["policyTypes"] == ["Ingress", "Egress"]
    assert "archipel-api-toy-example-talks" in rules
    assert "archipel-operators" not in rules


def test_it_asks_nothing_until_settings_or_limits_change(
    backend: KubernetesBackend, api: Client, place: Tenancy, handle: str, requests: Requests, cluster: Cluster
) -> None:
    cluster.settings = {"operator_namespaces": ["cnpg-system"], "pod_security": "baseline"}
    cluster.save()
    backend.prepare(handle, place)
    assert "archipel-operators" in policies(api, place)
    requests.disarm()
    tenancy.forget()
    backend.prepare(handle, place)
    assert requests.asked == []
    cluster.settings = {}
    cluster.save()
    tenancy.forget()
    backend.prepare(handle, place)
    assert "archipel-operators" not in policies(api, place)
    assert "archipel-deny" in policies(api, place)


def test_a_namespace_of_somebody_elses_is_not_taken(
    backend: KubernetesBackend, api: Client, place: Tenancy, handle: str
) -> None:
    foreign = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace}}
    made = api.create(NAMESPACE, foreign)
    with pytest.raises(PermanentError, match="not the portal's"):
        backend.prepare(handle, place)
    assert api.get(NAMESPACE, "", place.namespace) == made


def test_a_namespace_that_was_taken_away_is_waited_for_and_made_anew(
    backend: KubernetesBackend, api: Client, place: Tenancy, handle: str, eventually: Any
) -> None:
    backend.prepare(handle, place)
    held = config_map("held")
    held["metadata"] |= {"namespace": place.namespace, "finalizers": ["toy.example/held"]}
    made = api.create(CONFIG_MAP, held)
    api.delete(NAMESPACE, "", place.namespace)
    with pytest.raises(TemporaryError):
        backend.apply(Wanted(handle, 1, 1, [config_map(handle)]))
    assert Namespace.objects.get(name=place.namespace).digest == ""
    with pytest.raises(TemporaryError, match="taken away"):
        backend.prepare(handle, place)
    del made["metadata"]["finalizers"], made["metadata"]["resourceVersion"]
    api.replace(CONFIG_MAP, made)
    eventually(lambda: api.get(NAMESPACE, "", place.namespace) is None, within=60)
    backend.prepare(handle, place)
    backend.apply(Wanted(handle, 2, 1, [config_map(handle)]))
    assert api.get(CONFIG_MAP, place.namespace, handle)


def test_the_quota_of_a_namespace_is_a_refusal_in_words(
    backend: KubernetesBackend, api: Client, place: Tenancy, handle: str, project: Project, eventually: Any
) -> None:
    Quota.objects.create(organization=project.organization, project=project, resource="storage_gib", limit=0)
    backend.prepare(handle, place)
    quota = lambda: api.get(RESOURCE_QUOTA, place.namespace, "archipel") or {}  # noqa: E731
    eventually(lambda: (quota().get("status") or {}).get("hard"), within=30)
    with pytest.raises(PermanentError, match="Ask for a higher limit") as refused:
        backend.apply(Wanted(handle, 1, 1, [manifest(VOLUME_CLAIM, handle, CLAIM)]))
    assert isinstance(refused.value.__cause__, Refused)
    assert place.namespace not in str(refused.value)


def test_a_service_with_a_namespace_of_its_own_may_move_to_another_project(
    backend: KubernetesBackend, api: Client, project: Project, handle: str
) -> None:
    other = Project.objects.create(organization=project.organization, slug="acme-test", name="Acme test")
    rendered = [GeneratedSecret("admin"), config_map(handle)]
    passwords = set()
    for fence, owner in enumerate((project, other), start=1):
        place = Tenancy(f"svc-{handle}", owner.organization_id, owner.id, own=True)
        backend.prepare(handle, place)
        backend.ensure_secrets(handle, [GeneratedSecret("admin")])
        backend.apply(Wanted(handle, fence, fence, rendered))
        passwords.add(backend.reveal(handle, ["admin"])["admin"]["password"])
        mine = [
            api.get(NAMESPACE, "", place.namespace),
            api.get(CONFIG_MAP, place.namespace, handle),
            api.get(SECRET, place.namespace, f"{handle}-admin"),
        ]
        assert {one["metadata"]["labels"]["archipel.eu/project"] for one in mine if one} == {str(owner.id)}
        assert all(mine)
    assert len(passwords) == 1
    assert Namespace.objects.get(name=f"svc-{handle}").project_id == other.id


def test_without_rights_it_waits_and_says_so_without_names(
    backend: KubernetesBackend, control_plane: Any, cluster: Cluster, place: Tenancy, handle: str
) -> None:
    backend.prepare(handle, place)
    nobody = KubernetesBackend(cluster, client=Client(kubeconfig.read(control_plane.kubeconfig("nobody", ()))))
    asks = (
        lambda: nobody.ensure_secrets(handle, [GeneratedSecret("admin")]),
        lambda: nobody.apply(Wanted(handle, 1, 1, [config_map(handle)])),
        lambda: nobody.reveal(handle, ["admin"]),
        lambda: nobody.delete(handle, fence=9),
    )
    for ask in asks:
        with pytest.raises(TemporaryError, match="an operator has to look") as refused:
            ask()
        assert "nobody" not in str(refused.value)
        assert place.namespace not in str(refused.value)
