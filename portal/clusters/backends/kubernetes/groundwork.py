"""What a namespace of a customer's holds besides services: pure, from the project's limits and the cluster's settings.

Limits here are a second line behind the portal's own (``resources.admission``) and leave room for what runs beside a
service for a while: the successors of pods that are being replaced, and operators' jobs.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from portal.clusters.backends.base import Tenancy
from portal.clusters.backends.kubernetes.settings import ClusterSettings
from portal.core import registry
from portal.core.drivers.kubernetes import (
    HANDLE_LABEL,
    MANAGED_BY,
    MANAGER,
    NETWORK_POLICY,
    PROJECT_LABEL,
    Manifest,
    ObjectKind,
    driver_of,
)
from portal.projects.quotas import Limits

__all__ = ["HANDLE_LABEL", "of"]

NAMESPACE = ObjectKind("", "v1", "Namespace", "namespaces", namespaced=False)
RESOURCE_QUOTA = ObjectKind("", "v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGE = ObjectKind("", "v1", "LimitRange", "limitranges")
SERVICE_ACCOUNT = ObjectKind("", "v1", "ServiceAccount", "serviceaccounts")
ROLE_BINDING = ObjectKind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
KINDS = (NAMESPACE, RESOURCE_QUOTA, LIMIT_RANGE, NETWORK_POLICY, SERVICE_ACCOUNT, ROLE_BINDING)

ROOM = 1.5  # of what a project may have, in the cluster's own quota
PODS_OF_A_SERVICE = 16  # with poolers, exporters and jobs
FLUX = "archipel-flux"  # the account of releases, and the ClusterRole that is bound to it in the namespace alone
_NAME_LABEL = "kubernetes.io/metadata.name"  # that every namespace carries
_ENFORCE = "pod-security.kubernetes.io"
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def of(tenancy: Tenancy, limits: Limits, settings: ClusterSettings) -> Iterator[tuple[ObjectKind, Manifest]]:
    """Yield what a namespace holds, the namespace itself first."""
    security = {f"{_ENFORCE}/{mode}": settings.pod_security for mode in ("enforce", "audit", "warn")}
    yield NAMESPACE, _object(NAMESPACE, tenancy, tenancy.namespace, {}, labels=security)
    yield RESOURCE_QUOTA, _object(RESOURCE_QUOTA, tenancy, MANAGER, {"spec": {"hard": _hard(limits)}})
    yield LIMIT_RANGE, _object(LIMIT_RANGE, tenancy, MANAGER, {"spec": {"limits": [_CONTAINER]}})
    for name, spec in _policies(tenancy, settings):
        yield NETWORK_POLICY, _object(NETWORK_POLICY, tenancy, f"{MANAGER}-{name}", {"spec": spec})
    # No token in pods of their own accord: whoever needs one asks for it.
    yield SERVICE_ACCOUNT, _object(SERVICE_ACCOUNT, tenancy, FLUX, {"automountServiceAccountToken": False})
    yield ROLE_BINDING, _object(ROLE_BINDING, tenancy, FLUX, _binding(tenancy))


def _object(
    kind: ObjectKind, tenancy: Tenancy, name: str, body: Mapping[str, Any], *, labels: Mapping[str, str] | None = None
) -> Manifest:
    ours = {MANAGED_BY: MANAGER, PROJECT_LABEL: str(tenancy.project_id)}
    metadata: dict[str, Any] = {"name": name, "labels": {**(labels or {}), **ours}}
    if kind.namespaced:
        metadata["namespace"] = tenancy.namespace
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}


# ---- limits ----------------------------------------------------------------------------------------------------------

# What a container has that says nothing of memory: a quota of memory refuses one that has no limit. Of the processor
# only requests are counted, for a limit by default would slow down those that have asked for none on purpose.
_CONTAINER = {
    "type": "Container",
    "default": {"memory": "512Mi"},
    "defaultRequest": {"cpu": "50m", "memory": "128Mi"},
}


def _hard(limits: Limits) -> dict[str, str]:
    """Return the hard limits of a project: the lower of its own and its organization's, with room."""

    def bound(name: str) -> int | None:
        found = [of[name] for of in (limits.project, limits.organization) if name in of]
        return min(found) if found else None

    hard = {"pods": str((bound("services") or 0) * PODS_OF_A_SERVICE)}
    hard["persistentvolumeclaims"] = hard["pods"]
    for name, unit, keys in (
        ("vcpu", "", ("requests.cpu",)),
        ("memory_mib", "Mi", ("requests.memory", "limits.memory")),
        ("storage_gib", "Gi", ("requests.storage",)),
    ):
        if (limit := bound(name)) is not None:
            hard |= {key: f"{math.ceil(limit * ROOM)}{unit}" for key in keys}
    return hard


# ---- network ---------------------------------------------------------------------------------------------------------


def _policies(tenancy: Tenancy, settings: ClusterSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rules by name: nothing goes in or out but what one of them lets through."""
    yield "deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    yield "names", _rule(egress=[{"to": [_namespace(settings.dns_namespace)], "ports": _ports(("UDP", "TCP"), (53,))}])
    project = [{"namespaceSelector": {"matchLabels": {PROJECT_LABEL: str(tenancy.project_id)}}}]
    yield "project", _rule(ingress=[{"from": project}], egress=[{"to": project}])
    if settings.operator_namespaces:
        peers = [_namespace(name) for name in settings.operator_namespaces]
        yield "operators", _rule(ingress=[{"from": peers}], egress=[{"to": peers}])
    if settings.monitoring_namespaces:
        yield "monitoring", _rule(ingress=[{"from": [_namespace(name) for name in settings.monitoring_namespaces]}])
    if stores := _stores(settings):
        yield "stores", _rule(egress=[stores])
    for label in _api_pods():
        selector = {"matchExpressions": [{"key": label, "operator": "Exists"}]}
        egress = [{"to": _blocks(settings.api_networks or _EVERYWHERE), "ports": _ports(("TCP",), (443, 6443))}]
        yield f"api-{_plain(label)}", _rule(selector, egress=egress)


def _stores(settings: ClusterSettings) -> dict[str, Any]:
    """Return the opening to the object store: to the networks that settings name, else to where its address points."""
    if settings.store_networks:
        return {"to": _blocks(settings.store_networks)}
    if not settings.s3_endpoint:
        return {}
    url = urlsplit(settings.s3_endpoint)
    parts = (url.hostname or "").split(".")
    if len(parts) > 2 and parts[2] == "svc":
        return {"to": [_namespace(parts[1])]}  # a Service of the cluster's own; its pods listen on any port
    return {"to": _blocks(_EVERYWHERE), "ports": _ports(("TCP",), (url.port or (80 if url.scheme == "http" else 443),))}


def _rule(selector: Mapping[str, Any] | None = None, **ways: list[Any]) -> dict[str, Any]:
    types = [way.capitalize() for way in ("ingress", "egress") if way in ways]
    return {"podSelector": dict(selector or {}), "policyTypes": types, **ways}


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {_NAME_LABEL: name}}}


def _blocks(networks: Any) -> list[dict[str, Any]]:
    return [{"ipBlock": {"cidr": network}} for network in networks]


def _ports(protocols: tuple[str, ...], ports: tuple[int, ...]) -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": port} for protocol in protocols for port in ports]


def _api_pods() -> list[str]:
    """Return the keys of labels of pods that talk to the Kubernetes API, as drivers say."""
    drivers = [driver_of(offering.drivers) for offering in registry.offerings().values()]
    return sorted({label for driver in drivers if driver is not None for label in driver.api_pods})


def _plain(label: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in label.lower())


def _binding(tenancy: Tenancy) -> dict[str, Any]:
    group = ROLE_BINDING.group
    return {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": FLUX},
        "subjects": [{"kind": "ServiceAccount", "name": FLUX, "namespace": tenancy.namespace}],
    }
