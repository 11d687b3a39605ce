"""The root object: CloudNativePG's ``Cluster``, and the pooler before it."""

import datetime
from decimal import Decimal
from typing import Any, cast

from apps.databases.offerings.postgresql import config
from apps.databases.offerings.postgresql.kubernetes import exposure, first, storage
from apps.databases.offerings.postgresql.kubernetes.kinds import CLUSTER, POOLER, pooler_name
from apps.databases.offerings.postgresql.plans import line_of
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from portal.core.drivers import View
from portal.core.drivers.kubernetes import Manifest, manifest

HIBERNATION, RESTARTED_AT = "cnpg.io/hibernation", "kubectl.kubernetes.io/restartedAt"
IMAGE = "ghcr.io/cloudnative-pg/postgresql"
POOLER_NODES, POOLER_CPU, POOLER_MEMORY_MIB = 2, Decimal("0.1"), 128
_EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)  # restarts are counted in seconds after it
_OPERATORS_OWN = {"max_worker_processes"}  # its default is higher, and what it runs beside PostgreSQL needs it


def cluster(view: View) -> Manifest:
    """Return the cluster of a service."""
    annotations = {HIBERNATION: "off" if view.running else "on"}
    if view.restarts:
        annotations[RESTARTED_AT] = (_EPOCH + datetime.timedelta(seconds=view.restarts)).isoformat()
    spec: dict[str, Any] = {
        "instances": view.plan.nodes,
        **_image(view),
        "primaryUpdateStrategy": "unsupervised",
        "primaryUpdateMethod": "switchover" if view.plan.nodes > 1 else "restart",
        "enableSuperuserAccess": False,
        "smartShutdownTimeout": 15,  # seconds that a stop waits for connections to end by themselves
        "resources": _resources(view),
        "storage": {"size": f"{storage.disk_gib(view)}Gi", **storage.storage_class(view)},
        "postgresql": _postgresql(view),
        "bootstrap": storage.recovery(view) or {"initdb": first.initdb(view.release)},
        **_spread(view),
        **_names(view),
        **_pods_of_pooler(view),
        **storage.plugins(view),
        **storage.origin(view),
    }
    return manifest(CLUSTER, view.handle, spec, annotations=annotations)


def wants_pooler(view: View) -> bool:
    return cast(PostgresqlSpec, view.spec).pooler != "none"


def has_pooler(view: View) -> bool:
    """Whether there is a pooler now: it stops with the service, by being taken away."""
    return wants_pooler(view) and view.running


def pooler(view: View) -> Manifest:
    """Return PgBouncer before the primary. It asks the same of those who connect as PostgreSQL does."""
    mode = cast(PostgresqlSpec, view.spec).pooler
    size = max(5, config.max_connections(view) // 4)
    spec = {
        "cluster": {"name": view.handle},
        "type": "rw",
        "instances": POOLER_NODES,
        "pgbouncer": {
            "poolMode": mode,
            "parameters": {"max_client_conn": "1000", "default_pool_size": str(size)},
            "pg_hba": _doors(view),
        },
        "template": {
            "spec": {"containers": [{"name": "pgbouncer", "resources": _sold(POOLER_CPU, POOLER_MEMORY_MIB)}]}
        },
    }
    return manifest(POOLER, pooler_name(view.handle), spec)


def _image(view: View) -> dict[str, Any]:
    """Return where the engine comes from: the region's catalog of tried images, or the release's own."""
    catalog = view.settings.get("postgresql_image_catalog")
    if not catalog:
        return {"imageName": f"{IMAGE}:{view.release}"}
    major = line_of(view.release)
    kind = {"apiGroup": "postgresql.cnpg.io", "kind": "ClusterImageCatalog"}
    return {"imageCatalogRef": {**kind, "name": catalog, "major": major}}


def _resources(view: View) -> dict[str, Any]:
    """Ask for what the plan sells and no more, so that a node is never promised twice."""
    return _sold(view.plan.cpu, view.plan.memory_mib)


def _sold(cores: Decimal, mib: int) -> dict[str, Any]:
    sold = {"cpu": cpu(cores), "memory": memory(mib)}
    return {"requests": sold, "limits": dict(sold)}


def cpu(cores: Decimal) -> str:
    """Return cores as Kubernetes writes them: ``2``, ``500m``."""
    return str(int(cores)) if cores == int(cores) else f"{int(cores * 1000)}m"


def memory(mib: int) -> str:
    """Return MiB as Kubernetes writes them: ``4Gi``, ``512Mi``."""
    return f"{mib}Mi" if mib % 1024 else f"{mib // 1024}Gi"


def _spread(view: View) -> dict[str, Any]:
    """Keep the nodes of a service apart: in as many zones as the plan says, else on different machines."""
    if view.plan.nodes == 1:
        return {}
    key = "topology.kubernetes.io/zone" if view.plan.zones > 1 else "kubernetes.io/hostname"
    return {"affinity": {"enablePodAntiAffinity": True, "podAntiAffinityType": "required", "topologyKey": key}}


def _postgresql(view: View) -> dict[str, Any]:
    settings = {**config.sizes(view), **config.tuning(view), "pg_stat_statements.track": "top"}
    found: dict[str, Any] = {
        "parameters": {name: _text(settings[name]) for name in sorted(settings) if name not in _OPERATORS_OWN},
        "pg_hba": _doors(view) if not (view.allow_list and wants_pooler(view)) else [_FROM_POOLER, *_doors(view)],
    }
    if view.plan.nodes > 1:
        found["synchronous"] = {"method": "any", "number": 1, "dataDurability": "preferred"}
    return found


def _text(value: config.Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


_FROM_POOLER = "hostssl all all ${podselector:pooler} scram-sha-256"


def _doors(view: View) -> list[str]:
    """Return who may connect. What the operator needs for itself stands before these lines, and lets all in after."""
    networks = [f"hostssl all all {network} scram-sha-256" for network in view.allow_list]
    return [*networks, "host all all all reject"] if networks else ["hostnossl all all all reject"]


def _names(view: View) -> dict[str, Any]:
    """Have the server's certificate name what else it is reached by: the pooler, which shows it too, and from outside.

    The pooler's names stay while it is stopped with the service, so that a start finds the certificate as it was.
    """
    name = pooler_name(view.handle)
    names = [name, f"{name}.{view.namespace}", f"{name}.{view.namespace}.svc"] if wants_pooler(view) else []
    names += [exposure.host(view)] if exposure.host(view) else []
    return {"certificates": {"serverAltDNSNames": names}} if names else {}


def _pods_of_pooler(view: View) -> dict[str, Any]:
    """Name the pooler's pods, for the lines that say who may connect."""
    if not wants_pooler(view):
        return {}
    labels = {"cnpg.io/poolerName": pooler_name(view.handle)}
    return {"podSelectorRefs": [{"name": "pooler", "selector": {"matchLabels": labels}}]}
