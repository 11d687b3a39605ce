"""Every offering on the real API server, its operators played: ordered, resized, stopped, started, deleted, gone."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from portal.accounts.models import User
from portal.clusters import registry as backends
from portal.clusters.backends.kubernetes import clients, tenancy
from portal.clusters.models import Cluster, Inventory, SeenObject
from portal.core import registry
from portal.core.actors import Actor
from portal.core.drivers import GeneratedSecret, View
from portal.core.drivers.kubernetes import CONFIG_MAP, SECRET, SERVICE, VOLUME_CLAIM
from portal.core.offerings import Offering
from portal.projects.models import Project
from portal.resources import actions, engine, tasks
from portal.resources.engine import claim
from portal.resources.models import Resource
from tests.cluster.control_plane import ControlPlane
from tests.cluster.crds import Installed
from tests.cluster.kubernetes_rows import cluster_row
from tests.cluster.played_operator import Operator

pytestmark = pytest.mark.django_db
SOLD = [offering for offering in registry.offerings().values() if "kubernetes" in offering.drivers]
every_offering = pytest.mark.parametrize("offering", [pytest.param(one, id=one.slug) for one in SOLD])
STORE = {"bucket_class": "backups", "s3_endpoint": "https://s3.example.org"}
PATIENCE = 60.0  # seconds
LOOKS = 8  # turns after which a service that must not become ready would have


@pytest.fixture
def region(
    db: None, control_plane: ControlPlane, crds: Installed, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    monkeypatch.setattr(tasks, "enqueue", lambda _id: None)
    served: dict[str, list[str]] = {}
    for kind in (kind for offering in SOLD for kind in driver_of(offering).kinds):
        served.setdefault(kind.api_version, []).append(kind.kind)
    tenancy.forget()
    yield cluster_row(control_plane.kubeconfig(), capabilities={"version": "1.36.3", "apis": served}, settings=STORE)
    clients._held.clear()
    backends._backend.cache_clear()


@pytest.fixture
def operator(control_plane: ControlPlane, region: Cluster) -> Iterator[Operator]:
    with Operator(control_plane.kubeconfig(), pace=0.1) as played:
        yield played


@pytest.fixture
def actor(developer: User, actor_of: Callable[..., Actor]) -> Actor:
    return actor_of(developer)


def driver_of(offering: Offering) -> Any:
    return offering.drivers["kubernetes"]


def plans_of(offering: Offering) -> tuple[str, str]:
    """Return a small plan and a larger one."""
    plans = [plan for plan in offering.plans if "kubernetes" in plan.backends and not plan.free]
    return plans[0].slug, plans[-1].slug


def ordered(actor: Actor, project: Project, offering: Offering) -> Resource:
    request = actions.OrderRequest(name="one", offering=offering.slug, plan=plans_of(offering)[0], region="real")
    return actions.order(actor, project=project, request=request).resource


def turned(row: Resource) -> Resource:
    claim.wake(handle=row.handle)
    engine.reconcile(row.id)
    return Resource.objects.get(id=row.id)


def until(row: Resource, there: Callable[[Resource], bool], operator: Operator) -> Resource:
    deadline = time.monotonic() + PATIENCE
    while not there(row := turned(row)):
        assert time.monotonic() < deadline, (row.state, row.conditions, parts(row), operator.troubles[-5:])
        time.sleep(0.1)
    return row


def parts(row: Resource) -> dict[str, str]:
    return {f"{child.kind}/{child.name}": child.state for child in row.children.all()}


def is_well(row: Resource) -> bool:
    """Whether it runs as it is asked for now, with all its parts, and nobody waits for anything."""
    is_open = row.operations.filter(finished_at=None).exists()
    return (
        row.state == "running"
        and row.observed_generation == row.generation
        and not is_open
        and set(parts(row).values()) <= {"ready", "succeeded"}
    )


def left_of(control_plane: ControlPlane, offering: Offering, row: Resource) -> list[str]:
    """Name every object that has the service's handle in its name, as the API server tells."""
    found = []
    for kind in {*driver_of(offering).kinds, SECRET, SERVICE, CONFIG_MAP, VOLUME_CLAIM}:
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        listed = control_plane.call("GET", f"{root}/namespaces/{engine.view.namespace_of(row)}/{kind.plural}")
        names = (item["metadata"]["name"] for item in listed["items"])
        found += [f"{kind.kind} {name}" for name in names if row.handle in name]
    return found


@every_offering
def test_a_service_lives_and_leaves_nothing_behind(
    offering: Offering, operator: Operator, control_plane: ControlPlane, project: Project, actor: Actor
) -> None:
    row = until(ordered(actor, project, offering), is_well, operator)
    assert row.facts["endpoints"][0]["host"].endswith(f".{engine.view.namespace_of(row)}.svc")
    shown = actions.reveal(actor, row.children.get(kind=offering.credentials_kind.slug))  # type: ignore[union-attr]
    assert len(str(shown["password"])) >= 32
    assert str(shown["ca_pem"]).startswith("-----BEGIN CERTIFICATE-----")

    actions.resize(actor, row, plan=plans_of(offering)[1])
    row = until(row, is_well, operator)
    actions.restart(actor, row)
    row = until(row, is_well, operator)

    volumes = [name for name in left_of(control_plane, offering, row) if name.startswith("PersistentVolumeClaim")]
    actions.stop(actor, row)
    row = until(row, lambda row: row.state == "stopped", operator)
    assert set(volumes) <= set(left_of(control_plane, offering, row)), "a stopped service keeps its data"
    actions.start(actor, row)
    row = until(row, is_well, operator)
    again = actions.reveal(actor, row.children.get(kind=offering.credentials_kind.slug))  # type: ignore[union-attr]
    assert {name: again[name] for name in ("uri", "ca_pem")} == {name: shown[name] for name in ("uri", "ca_pem")}

    actions.delete(actor, row)
    row = until(row, lambda row: row.deleted_at is not None, operator)
    assert set(volumes) <= set(left_of(control_plane, offering, row)), "a service in the bin keeps its data"
    actions.undelete(actor, row)
    row = until(row, is_well, operator)

    actions.delete(actor, row, policy="wipe")
    row = until(row, lambda row: row.purged_at is not None, operator)
    assert left_of(control_plane, offering, row) == []
    assert not Inventory.objects.filter(handle=row.handle).exists()
    assert not SeenObject.objects.filter(handle=row.handle, gone=False).exists()


@every_offering
def test_a_slow_operator_is_waited_for_in_words(
    offering: Offering, operator: Operator, project: Project, actor: Actor
) -> None:
    operator.mood = "slow"
    said: set[str] = set()

    def there(row: Resource) -> bool:
        said.update(one["message"] for one in row.conditions if one["type"] == "Ready")
        return is_well(row)

    until(ordered(actor, project, offering), there, operator)
    assert [words for words in said if words.startswith("Waiting for ")], said


@every_offering
@pytest.mark.parametrize("mood", ["degraded", "failed", "stale", "silent"])
def test_a_service_that_is_not_well_is_not_ready(
    offering: Offering, mood: str, operator: Operator, project: Project, actor: Actor
) -> None:
    operator.mood = mood
    row = ordered(actor, project, offering)
    for _look in range(LOOKS):
        row = turned(row)
        assert row.state != "running"
        time.sleep(0.1)
    found = {one["type"]: one for one in row.conditions}
    assert found["Ready"]["status"] == "False"
    assert found["Ready"]["message"]
    assert ("Stalled" in found and found["Stalled"]["status"] == "True") == (mood == "failed")
    operator.feel("healthy")
    until(row, is_well, operator)


def _wrong_key(rendered: list[Any], _view: View) -> list[Any]:
    return [
        replace(item, keys=tuple(f"{key}x" for key in item.keys)) if isinstance(item, GeneratedSecret) else item
        for item in rendered
    ]


def _wrong_secret(rendered: list[Any], _view: View) -> list[Any]:
    return [_renamed(item) if isinstance(item, dict) else item for item in rendered]


def _renamed(value: Any) -> Any:
    """Return a manifest that names another Secret for each password."""
    if isinstance(value, list):
        return [_renamed(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _renamed(inner) for key, inner in value.items()}
    if "passwordSecret" in found:
        found["passwordSecret"] = {**found["passwordSecret"], "name": f"{found['passwordSecret']['name']}x"}
    return found


def _wrong_name(rendered: list[Any], view: View) -> list[Any]:
    return [
        {**item, "metadata": {**item["metadata"], "name": f"{view.handle}-x"}}
        if isinstance(item, dict) and item["metadata"]["name"] == view.handle
        else item
        for item in rendered
    ]


@every_offering
@pytest.mark.parametrize("wrong", [_wrong_key, _wrong_secret, _wrong_name])
def test_a_wrong_manifest_does_not_become_ready(
    offering: Offering,
    wrong: Callable[[list[Any], View], list[Any]],
    operator: Operator,
    project: Project,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Driver and played operator were written together: here they must not agree."""
    driver = driver_of(offering)
    right = driver.render
    monkeypatch.setattr(type(driver), "render", lambda _self, view: wrong(right(view), view))
    row = ordered(actor, project, offering)
    for _look in range(LOOKS):
        row = turned(row)
        assert not is_well(row)
        time.sleep(0.1)
    monkeypatch.undo()
    monkeypatch.setattr(tasks, "enqueue", lambda _id: None)
    until(row, is_well, operator)
