"""PostgreSQL on the real API server beside the played CloudNativePG (operators/cloudnative_pg.yaml), in its moods."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.databases.offerings.postgresql.kubernetes import parts
from portal.clusters.models import Cluster
from portal.core.actors import Actor
from portal.projects.models import Project
from portal.resources import actions
from portal.resources.models import Resource
from tests.cluster.control_plane import ControlPlane
from tests.cluster.played_operator import Operator
from tests.cluster.test_postgresql_life import actor, region, turned, words

__all__ = ["actor", "region"]  # fixtures
pytestmark = pytest.mark.django_db
Order = Callable[[str], Resource]
PATIENCE = 60.0  # seconds


@pytest.fixture
def operator(control_plane: ControlPlane, region: Cluster) -> Iterator[Operator]:
    with Operator(control_plane.kubeconfig(), pace=0.1) as played:
        yield played


@pytest.fixture
def order(project: Project, actor: Actor) -> Order:
    def make(name: str) -> Resource:
        request = actions.OrderRequest(name=name, offering="postgresql", plan="ha-8", region="real")
        return turned(actions.order(actor, project=project, request=request).resource)

    return make


def until(row: Resource, reached: Callable[[Resource], bool]) -> Resource:
    end = time.monotonic() + PATIENCE
    while not reached(row):
        assert time.monotonic() < end, f"{row.state} {row.health}: {row.conditions}"
        time.sleep(0.2)  # the operator's turn
        row = turned(row)
    return row


def conditions_of(row: Resource) -> dict[str, str]:
    return {one["type"]: one["status"] for one in row.conditions}


def test_it_comes_to_run_stops_and_is_gone(operator: Operator, order: Order, actor: Actor) -> None:
    operator.mood = "slow"
    row = order("slow")
    row = until(row, lambda now: "Waiting for" in words(now) and "nodes are ready" in words(now))
    row = until(row, lambda now: now.state == "running")
    assert row.health == "healthy"
    backup = actions.create_child(actor, row, row.offering.child("backups")).child_id  # type: ignore[arg-type]
    row = until(row, lambda now: now.children.get(id=backup).state == "succeeded")
    actions.stop(actor, row)
    row = until(row, lambda now: now.state == "stopped")
    actions.start(actor, row)
    row = until(row, lambda now: now.state == "running")
    actions.delete(actor, row, policy="wipe")
    until(row, lambda now: now.purged_at is not None)


def test_what_fails_says_so_and_what_is_short_of_a_node_still_serves(operator: Operator, order: Order) -> None:
    row = until(order("hurt"), lambda now: now.state == "running")
    operator.feel("degraded", row.handle)
    row = until(row, lambda now: now.health == "unavailable")
    assert "take over" in words(row)
    operator.feel("failed", row.handle)
    row = until(row, lambda now: conditions_of(now).get("Stalled") == "True")
    assert "Restore a backup" in words(row)
    operator.feel("stale", row.handle)
    row = until(row, lambda now: conditions_of(now).get("NodesMissing") == "True")
    assert (row.health, conditions_of(row).get("Stalled")) == ("degraded", None)
    operator.feel("healthy", row.handle)
    until(row, lambda now: now.health == "healthy")


def test_a_wrong_secret_never_becomes_ready(operator: Operator, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two can't agree by being written together: the operator looks for the key that its reference names."""
    right = parts._role

    def wrong(view: Any, user: Any) -> dict[str, Any]:
        return {**right(view, user), "passwordSecret": {"name": f"{view.handle}-other"}}

    monkeypatch.setattr(parts, "_role", wrong)
    row = until(order("wrong"), lambda now: "not found" in words(now))
    for _look in range(5):
        row = turned(row)
        assert conditions_of(row)["Ready"] == "False"
    monkeypatch.setattr(parts, "_role", right)
    until(row, lambda now: now.state == "running")
