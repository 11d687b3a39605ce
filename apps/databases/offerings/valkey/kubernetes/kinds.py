"""The kinds that the operator and cert-manager serve, and how a service's objects are called."""

from portal.core.drivers.kubernetes import ObjectKind

CLUSTER = ObjectKind("valkey.io", "v1alpha1", "ValkeyCluster", "valkeyclusters")
CERTIFICATE = ObjectKind("cert-manager.io", "v1", "Certificate", "certificates")
ISSUER = ObjectKind("cert-manager.io", "v1", "Issuer", "issuers")

KINDS = (CLUSTER, CERTIFICATE, ISSUER)
OPERATOR = "valkey-operator 0.5.0 (CRD and operator of one release) and cert-manager"
PORT = 6379
OF_CLUSTER = "valkey.io/cluster"  # the operator's label on pods and volumes


def service_host(handle: str, namespace: str) -> str:
    """Return the name that leads to all nodes; the operator puts its word before the cluster's, not after it."""
    return f"valkey-{handle}.{namespace}.svc"
