"""The driver: puts the objects of a service together, in the order in which they are made."""

from typing import Any

from apps.databases.offerings.valkey import connect
from apps.databases.offerings.valkey.kubernetes import certificates, cluster, observe, users
from apps.databases.offerings.valkey.kubernetes.kinds import KINDS, OF_CLUSTER, OPERATOR
from portal.core.drivers import Connection, ObjectKind, Observation, View
from portal.core.drivers.kubernetes import VOLUME_CLAIM, KubernetesDriver, Leftover, Rendered


class KubernetesValkey(KubernetesDriver):
    """Pure: the same view gives the same objects."""

    kinds: tuple[ObjectKind, ...] = KINDS
    operator: str = OPERATOR

    def render(self, view: View) -> list[Rendered]:
        """Return everything but the nodes of a service that stands still: the operator knows no other way to stop.

        Their volumes stay, and nodes of the same name find them again.
        """
        return [
            *users.secrets(view),
            *certificates.objects(view),
            *([cluster.cluster(view)] if view.running else []),
            certificates.leftover(view.handle),
            Leftover(VOLUME_CLAIM, f"{OF_CLUSTER}={view.handle}"),
        ]

    def observe(self, view: View, objects: list[dict[str, Any]]) -> Observation:
        return observe.observe(view, objects)

    def connect(self, view: View) -> tuple[Connection, ...]:
        several = True if cluster.has_several_nodes(view) else None
        return connect.connections(view, authority=("tls", "ca.crt"), is_cluster=several)

    def pods(self, handle: str) -> str:
        return f"{OF_CLUSTER}={handle}"
