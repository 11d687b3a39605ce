"""The root object. Always a cluster to the engine: one shard with replicas where a standalone service was asked for."""

from typing import Any

from apps.databases.offerings.valkey import config, nodes
from apps.databases.offerings.valkey.kubernetes import users
from apps.databases.offerings.valkey.kubernetes.certificates import tls_secret
from apps.databases.offerings.valkey.kubernetes.kinds import CLUSTER
from portal.core.drivers import View
from portal.core.drivers.kubernetes import Manifest, manifest

IMAGE = "valkey/valkey"
# A toleration of a taint that no node has: it changes nothing but the pods' template, so they are rolled.
_RESTARTED = "archipel.eu/restarted"


def shards(view: View) -> int:
    return nodes.PRIMARIES if nodes.is_cluster(view) else 1


def replicas(view: View) -> int:
    """Return the replicas of each shard."""
    return nodes.count(view.plan, nodes.spec_of(view)) // shards(view) - 1


def has_several_nodes(view: View) -> bool:
    """Whether a client may be sent on to another node than the one it came to."""
    return shards(view) * (1 + replicas(view)) > 1


def cluster(view: View) -> Manifest:
    size = {"cpu": _cores(view), "memory": f"{view.plan.memory_mib}Mi"}
    helper = {"cpu": "50m", "memory": "64Mi"}
    spec: dict[str, Any] = {
        "image": f"{IMAGE}:{view.release}",
        "shards": shards(view),
        "replicas": replicas(view),
        "workloadType": "StatefulSet",
        "resources": {"requests": size, "limits": dict(size)},
        "config": _config(view),
        "persistence": _persistence(view),
        "networking": {"tls": {"certificate": {"secretName": tls_secret(view.handle)}}},
        "exporter": {"enabled": True, "resources": {"requests": helper, "limits": dict(helper)}},
        "users": users.users(view),
    }
    if scheduling := _scheduling(view):
        spec["scheduling"] = scheduling
    return manifest(CLUSTER, view.handle, spec)


def _cores(view: View) -> str:
    return f"{int(view.plan.cpu * 1000)}m"


def _persistence(view: View) -> dict[str, Any]:
    """Return the volumes, which every service has: they can't be added later, when a customer changes their mind.

    They are kept when the object goes, which is how a service stops.
    """
    found = {"size": f"{nodes.disk_gib(view)}Gi", "reclaimPolicy": "Retain"}
    storage_class = view.settings.get("storage_class")
    return {**found, "storageClassName": storage_class} if storage_class else found


def _config(view: View) -> dict[str, str]:
    """Return the engine's settings from the allow-list; what was not chosen is left to the operator."""
    spec = nodes.spec_of(view)
    found = {
        "maxmemory": f"{config.maxmemory_mib(view)}mb",
        "maxmemory-policy": spec.maxmemory_policy,
        "appendonly": "yes" if nodes.keeps_log(spec.persistence) else "no",
    }
    if nodes.keeps_log(spec.persistence):
        found["appendfsync"] = spec.appendfsync
    if not nodes.keeps_snapshots(spec.persistence):
        found["save"] = '""'
    if spec.timeout_seconds:
        found["timeout"] = str(spec.timeout_seconds)
    if spec.notify_keyspace_events:
        found["notify-keyspace-events"] = spec.notify_keyspace_events
    return found


def _scheduling(view: View) -> dict[str, Any]:
    """Return where pods go: a primary and its replicas never on one machine, primaries apart where there is room."""
    found: dict[str, Any] = {}
    if replicas(view):
        found["node"] = {"spread": {"shard": {"mode": "Required"}}}
    elif shards(view) > 1:
        found["node"] = {"spread": {"primaries": {"mode": "Preferred"}}}
    if view.restarts:
        found["tolerations"] = [{"key": _RESTARTED, "operator": "Equal", "value": str(view.restarts)}]
    return found
