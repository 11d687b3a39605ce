"""Which nodes a service has, which of them is the primary, and where each one lies. Pure arithmetic over the view.

A standalone service has one primary and its replicas: node 1 is the unit's main process, the others are companions. A
promotion exchanges roles and moves no process. In cluster mode three nodes are primaries of a third of the slots each.
Nobody reaches a node but through the sockets in ``{{run}}``; a TCP port of its own is there only to be replicated from.
"""

from dataclasses import dataclass
from typing import cast

from apps.databases.offerings.valkey.spec import ValkeySpec
from portal.core.drivers import View
from portal.core.offerings import Plan

FIRST_DATA = "data"
PRIMARIES = 3  # of a cluster
SLOTS = 16384


@dataclass(frozen=True, slots=True)
class Node:
    """One engine process. ``number`` begins at 1."""

    number: int
    data: str  # the directory that holds the nodes' own

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    @property
    def socket(self) -> str:
        return f"{{{{run}}}}/{self.name}.sock"

    @property
    def directory(self) -> str:
        return f"{{{{dir}}}}/{self.data}/{self.number}"

    @property
    def config(self) -> str:
        """Return the path of what only a start can change, below the instance's directory."""
        return f"etc/{self.name}.conf"

    @property
    def settings(self) -> str:
        """Return the path of what changes while it runs."""
        return f"etc/{self.name}-settings.conf"

    @property
    def port(self) -> str:
        """Return the placeholder of the port that replicas copy from."""
        return f"{{{{port:{self.name}}}}}"

    @property
    def front(self) -> str:
        """Return the name of the public port, where each node has one of its own."""
        return "main" if self.number == 1 else f"main-{self.number}"

    @property
    def bus(self) -> str:
        return f"bus-{self.number}"

    @property
    def slots(self) -> tuple[int, int]:
        """Return the first and the last slot of a cluster's node."""
        share = [round(SLOTS * part / PRIMARIES) for part in range(PRIMARIES + 1)]
        return share[self.number - 1], share[self.number] - 1


def spec_of(view: View) -> ValkeySpec:
    return cast(ValkeySpec, view.spec)


def is_cluster(view: View) -> bool:
    return spec_of(view).mode == "cluster"


def count(plan: Plan, spec: ValkeySpec) -> int:
    """Return how many nodes are asked for, and billed."""
    if spec.mode == "cluster":
        return PRIMARIES
    return plan.nodes if spec.replicas is None else 1 + spec.replicas


def wanted_primary(view: View) -> int:
    """Return the number of the node that is to be the primary."""
    asked = spec_of(view).primary
    return asked if not is_cluster(view) and asked <= count(view.plan, spec_of(view)) else 1


def primary(view: View) -> int:
    """Return the number of the node that is the primary, as last seen; of a service that stands still, as asked."""
    return int((view.running and view.facts.get("primary")) or wanted_primary(view))


def nodes(view: View) -> tuple[Node, ...]:
    """Return the nodes that run: as many as asked, and the primary for as long as it is one."""
    wanted = max(count(view.plan, spec_of(view)), primary(view))
    return tuple(Node(number, data_directory(view)) for number in range(1, wanted + 1))


def primary_node(view: View) -> Node:
    return Node(primary(view), data_directory(view))


def has_replicas(view: View) -> bool:
    return not is_cluster(view) and len(nodes(view)) > 1


def data_directory(view: View) -> str:
    """Return the name of the data directory in use."""
    return str(view.facts.get("data", FIRST_DATA))


def persistence(view: View) -> str:
    """Return what is in force: as last seen; of a service that stands still, as asked."""
    return str((view.running and view.facts.get("persistence")) or spec_of(view).persistence)


def keeps_log(kind: str) -> bool:
    """Whether a kind of persistence has the append-only file, which is then all that a start reads."""
    return kind in ("aof", "both")


def keeps_snapshots(kind: str) -> bool:
    return kind in ("rdb", "both")


def disk_gib(view: View) -> int:
    """Return the disk of each node: as asked for, never less than the plan's."""
    return max(spec_of(view).disk_gib or 0, view.plan.disk_gib)
