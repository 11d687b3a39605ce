"""Valkey as supervised processes on this machine: from a service as asked for to a ``Unit``.

Node 1 is the main process; the other nodes and the front that speaks TLS are its companions.
"""

from apps.databases.offerings.valkey import acl, backups, cli, config, connect, front, metrics, nodes, observe, shape
from apps.databases.offerings.valkey.nodes import Node
from apps.databases.offerings.valkey.plans import packages
from portal.core.drivers import (
    Companion,
    Connection,
    Limits,
    Observation,
    Probe,
    Run,
    Unit,
    UnitState,
    View,
)

FRONT_MIB = 64  # what the front may take beside the nodes
_PATIENCE = 60.0  # an engine that begins to write its log refuses the first signal; it is repeated


class LocalValkey:
    """Pure: the same view gives the same unit."""

    def render(self, view: View) -> Unit:
        first, *others = nodes.nodes(view)
        return Unit(
            packages=packages(view.release),
            argv=_engine(view, first),
            probe=_probe(first),
            ports=_ports(view),
            files=config.files(view, read_only=_is_read_only(view)),
            prepare=(*backups.prepare(view), *front.prepare()),
            runs=_runs(view),
            secrets=(*acl.OWN_SECRETS, *(acl.user_secret(user) for user in view.of_kind("users"))),
            inputs=backups.inputs(view),
            limits=_limits(view),
            running=view.running and not view.is_restoring,
            restarts=view.restarts,
            stop_patience_seconds=_PATIENCE,
            sampler=metrics.SAMPLER,
            keep_artifacts=backups.kept(view),
            companions=(*(_companion(view, node) for node in others), _front()),
        )

    def observe(self, view: View, state: UnitState) -> Observation:
        return observe.observe(view, state)

    def connect(self, view: View) -> tuple[Connection, ...]:
        return connect.connections(view)


def _is_read_only(view: View) -> bool:
    return bool(view.facts.get("read_only"))


def _engine(view: View, node: Node) -> tuple[str, ...]:
    return (f"{{{{package:valkey-{view.release}}}}}/bin/valkey-server", f"{{{{dir}}}}/{node.config}")


def _probe(node: Node) -> Probe:
    return Probe(cli.argv(node.socket, "PING"), env=cli.ENV, after=node.socket)


def _companion(view: View, node: Node) -> Companion:
    """Return another node: a replica, a primary that was promoted, or a cluster's."""
    return Companion(
        node.name,
        _engine(view, node),
        probe=_probe(node),
        files=(node.config, node.settings),
        stop_patience_seconds=_PATIENCE,
    )


def _front() -> Companion:
    """Return the front. Its probe goes all the way: through it to the primary."""
    return Companion(
        "front",
        front.argv(),
        probe=Probe(cli.argv(front.SOCKET, "PING"), env=cli.ENV, after=front.SOCKET),
        files=(front.CONFIG, "tls/cert.pem"),
        stop_patience_seconds=5.0,
        reload_signal="SIGUSR2",
    )


def _ports(view: View) -> tuple[str, ...]:
    found = nodes.nodes(view)
    if nodes.is_cluster(view):
        return (*(node.front for node in found), *(node.bus for node in found))
    return ("main", "replica", *(node.name for node in found)) if len(found) > 1 else ("main",)


def _limits(view: View) -> Limits:
    """Bound what the plan sells for each node, all nodes together; the front has some room of its own."""
    count = len(nodes.nodes(view))
    return Limits(
        memory_mib=view.plan.memory_mib * count + FRONT_MIB,
        cpu=float(view.plan.cpu) * count,
        disk_gib=nodes.disk_gib(view) * count,
    )


def _runs(view: View) -> tuple[Run, ...]:
    wanted = (child for child in view.of_kind("backups") if not child.finished and not child.deleting)
    return (
        *shape.runs(view, read_only=_is_read_only(view)),
        *(run for child in wanted for run in backups.make(view, child)),
        *backups.restore(view),
        *backups.tidy(view),
    )
