"""The engine with a real API server: an order, a child, the bin, the end; and a cluster that falls silent meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.accounts.models import User
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.models import Cluster, Inventory
from portal.core.actors import Actor
from portal.core.drivers.kubernetes import CONFIG_MAP, SECRET, VOLUME_CLAIM
from portal.projects.models import Project
from portal.resources import actions, engine, tasks
from portal.resources.engine import claim
from portal.resources.engine.view import namespace_of
from portal.resources.models import Child, DeletionPolicy, Operation, Resource
from tests.cluster.backend.conftest import Kill, Requests

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def actor(developer: User, actor_of: Callable[..., Actor]) -> Actor:
    return actor_of(developer)


@pytest.fixture
def ordered(
    backend: Any, monkeypatch: pytest.MonkeyPatch, actor: Actor, project: Project, cluster: Cluster
) -> Operation:
    monkeypatch.setattr(tasks, "enqueue", lambda resource_id: None)
    request = actions.OrderRequest(name="box", offering="toy", region=cluster.region.slug)
    return actions.order(actor, project=project, request=request)


def take_turns(resource: Resource, times: int = 4) -> Resource:
    """Take turns while the service is due, as the watch and the sweep would have it."""
    for _ in range(times):
        claim.wake(handle=resource.handle)
        engine.reconcile(resource.id)
    return Resource.objects.get(id=resource.id)


def names(api: Client, resource: Resource) -> set[str]:
    where, selector = namespace_of(resource), f"archipel.eu/service={resource.handle}"
    kinds = (CONFIG_MAP, SECRET, VOLUME_CLAIM)
    return {one["metadata"]["name"] for kind in kinds for one in api.list(kind, namespace=where, selector=selector)[0]}


def test_an_order_lives_and_goes(ordered: Operation, api: Client, actor: Actor, eventually: Callable[..., Any]) -> None:
    resource = take_turns(ordered.resource, 2)
    assert (resource.state, resource.health) == ("running", "healthy")
    assert resource.facts["endpoints"][0]["host"] == f"{resource.handle}.{namespace_of(resource)}.svc"
    admin = Child.objects.get(resource=resource, kind="users")
    mine = {resource.handle, f"{resource.handle}-data", f"{resource.handle}-user-{admin.id}"}
    assert names(api, resource) == mine
    actions.delete(actor, resource, policy=DeletionPolicy.BIN)
    resource = take_turns(resource)
    assert resource.deleted_at is not None
    root = api.get(CONFIG_MAP, namespace_of(resource), resource.handle)
    assert root is not None
    assert root["data"]["running"] == "False"
    assert names(api, resource) == mine
    Resource.objects.filter(id=resource.id).update(deletion_policy=DeletionPolicy.WIPE)
    eventually(lambda: take_turns(resource, 1).purged_at, within=30, every=0.2)
    assert names(api, resource) == set()
    assert not Inventory.objects.filter(handle=resource.handle).exists()


def test_a_settled_service_and_a_sweep_write_and_ask_next_to_nothing(
    ordered: Operation, requests: Requests, django_assert_max_num_queries: Any
) -> None:
    resource = take_turns(ordered.resource, 2)
    requests.disarm()
    claim.wake(handle=resource.handle)
    with django_assert_max_num_queries(40) as captured:
        engine.reconcile(resource.id)
    written = [query["sql"] for query in captured if query["sql"].startswith(("UPDATE", "INSERT"))]
    assert [sql.split('"')[1] for sql in written if "clusters_" in sql] == ["clusters_inventory"]
    assert {one.split()[0] for one in requests.asked} == {"GET"}  # no watch runs here


def test_silence_is_told_and_backed_off_and_the_order_goes_on_when_it_is_over(
    ordered: Operation, monkeypatch: pytest.MonkeyPatch, control_plane: Any, cluster: Cluster
) -> None:
    from portal.clusters.backends.kubernetes import clients
    from portal.core import vault

    there = control_plane.kubeconfig()
    away = control_plane.kubeconfig(server="https://127.0.0.1:1")
    Cluster.objects.filter(id=cluster.id).update(kubeconfig=vault.seal(away))
    clients._held.clear()
    resource = take_turns(ordered.resource, 3)
    synced = next(one for one in resource.conditions if one["type"] == "Synced")
    assert (synced["status"], synced["reason"], resource.failures) == ("False", "Unreachable", 3)
    assert "does not answer" in synced["message"]
    row = Cluster.objects.get(id=cluster.id)
    assert row.silent_since is not None
    Cluster.objects.filter(id=cluster.id).update(kubeconfig=vault.seal(there), silent_since=None, retry_at=None)
    clients._held.clear()
    assert take_turns(resource, 2).state == "running"


@pytest.mark.parametrize("nth", [1, 3, 8, 10, 11, 12, 13, 14, 15])
def test_a_worker_that_is_killed_in_a_turn_doubles_and_loses_nothing(
    ordered: Operation, requests: Requests, api: Client, nth: int
) -> None:
    requests.arm(nth, after=nth % 2 == 0)
    claim.wake(handle=ordered.resource.handle)
    with pytest.raises(Kill):
        engine.reconcile(ordered.resource.id)
    requests.disarm()
    Resource.objects.update(lease_until=None)
    resource = take_turns(ordered.resource, 2)
    assert resource.state == "running"
    assert len(names(api, resource)) == 3
