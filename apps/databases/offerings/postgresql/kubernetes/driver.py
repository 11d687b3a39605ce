"""The driver: puts the objects of a service together, in the order in which they are made."""

from collections.abc import Mapping
from typing import Any

from apps.databases.offerings.postgresql import connect
from apps.databases.offerings.postgresql.kubernetes import cluster, exposure, observe, parts, storage
from apps.databases.offerings.postgresql.kubernetes.kinds import KINDS, OF_STORE, OPERATOR
from portal.core.drivers import Connection, ObjectKind, Observation, View
from portal.core.drivers.kubernetes import KubernetesDriver, Rendered


class KubernetesPostgresql(KubernetesDriver):
    """Pure: the same view gives the same objects."""

    kinds: tuple[ObjectKind, ...] = KINDS
    operator: str = OPERATOR
    api_pods: tuple[str, ...] = ("cnpg.io/cluster", "cnpg.io/poolerName")  # each node keeps in touch with the cluster

    def needs(self, settings: Mapping[str, Any]) -> tuple[ObjectKind, ...]:
        """Return what a cluster has to serve: the kinds of the store of backups only where its settings name one."""
        return tuple(kind for kind in KINDS if kind not in OF_STORE or storage.is_set(settings))

    def keeps_backups(self, settings: Mapping[str, Any]) -> bool:
        return storage.is_set(settings)

    def render(self, view: View) -> list[Rendered]:
        if not view.running and not observe.was_ready(view):
            return []  # nothing was ever in it, and its operator stops only what has been healthy
        return [
            *parts.secrets(view),
            *storage.store(view),
            *parts.roles(view),
            *parts.databases(view),
            cluster.cluster(view),
            *([cluster.pooler(view)] if cluster.has_pooler(view) else []),
            *exposure.objects(view),
            *storage.nightly(view),
            *storage.on_demand(view),
        ]

    def observe(self, view: View, objects: list[dict[str, Any]]) -> Observation:
        return observe.observe(view, objects)

    def connect(self, view: View) -> tuple[Connection, ...]:
        return connect.connections(view, authority=("ca", "ca.crt"))

    def pods(self, handle: str) -> str:
        return f"cnpg.io/cluster={handle}"
