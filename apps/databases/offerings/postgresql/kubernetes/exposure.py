"""A way in from outside the cluster, where the region's settings name a domain for it (``public_domain``).

A load balancer of the service's own, whose name external-dns publishes; the certificate names it too. Without a domain
a service has addresses inside the cluster alone.
"""

from typing import Any

from portal.core.drivers import View
from portal.core.drivers.kubernetes import NETWORK_POLICY, SERVICE, Manifest, find, manifest

PORT = 5432
_HOSTNAME = "external-dns.alpha.kubernetes.io/hostname"


def host(view: View) -> str:
    """Return the public name of a service; empty where it has none."""
    domain = str(view.settings.get("public_domain") or "").strip(".")
    return f"{view.handle}.{domain}" if domain else ""


def _name(view: View) -> str:
    return f"{view.handle}-public"


def objects(view: View) -> list[Manifest]:
    """Return the load balancer before the primary, and what lets its traffic into the namespace."""
    if not host(view):
        return []
    selector = {"cnpg.io/cluster": view.handle, "cnpg.io/instanceRole": "primary"}
    service: dict[str, Any] = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",  # PostgreSQL sees who connects
        "selector": selector,
        "ports": [{"name": "postgres", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
    }
    if view.allow_list:
        service["loadBalancerSourceRanges"] = list(view.allow_list)
    networks = [{"ipBlock": {"cidr": network}} for network in view.allow_list or ("0.0.0.0/0", "::/0")]
    policy = {
        "podSelector": {"matchLabels": {"cnpg.io/cluster": view.handle}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": networks, "ports": [{"port": PORT, "protocol": "TCP"}]}],
    }
    return [
        manifest(NETWORK_POLICY, _name(view), policy),
        manifest(SERVICE, _name(view), service, annotations={_HOSTNAME: host(view)}),
    ]


def has_address(view: View, seen: list[Manifest]) -> bool:
    """Whether the load balancer has been given one."""
    status = (find(seen, SERVICE, _name(view)) or {}).get("status") or {}
    return bool((status.get("loadBalancer") or {}).get("ingress"))
