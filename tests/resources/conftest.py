"""A local region whose backend is kept in memory, and the toy offering."""

from collections.abc import Callable

import pytest

from portal.accounts.models import User
from portal.clusters import registry as clusters
from portal.clusters.models import Cluster, Region
from portal.core import registry
from portal.core.actors import Actor
from portal.projects.models import Project
from portal.resources import actions, engine, tasks
from portal.resources.engine import claim
from portal.resources.models import Operation, Resource
from tests.resources.doubles import TOY, MemoryBackend
from tests.resources.offerings import FLEET, WORKSHOP


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> MemoryBackend:
    memory = MemoryBackend()
    monkeypatch.setattr("portal.resources.engine.turn.backend_of", lambda cluster: memory)
    monkeypatch.setattr("portal.resources.engine.drift.backend_of", lambda cluster: memory)
    monkeypatch.setattr("portal.clusters.reads.backend_of", lambda cluster: memory)
    clusters._backend.cache_clear()
    return memory


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**registry.offerings(), **{offering.slug: offering for offering in (TOY, FLEET, WORKSHOP)}}
    monkeypatch.setattr(registry, "offerings", lambda: found)


@pytest.fixture
def cluster(db: None) -> Cluster:
    region = Region.objects.create(slug="local", name="This machine")
    return Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})


@pytest.fixture
def actor(developer: User, actor_of: Callable[..., Actor]) -> Actor:
    return actor_of(developer)


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []
    monkeypatch.setattr(tasks, "enqueue", asked.append)
    return asked


@pytest.fixture
def kernel(toy: None, backend: MemoryBackend, cluster: Cluster, enqueued: list[object]) -> MemoryBackend:
    """All that an order needs."""
    return backend


@pytest.fixture
def order(kernel: MemoryBackend, actor: Actor, project: Project) -> Callable[..., Operation]:
    """``order(name, **fields)``: an order, of the toy unless another offering is named, not reconciled yet."""

    def make(name: str = "box", offering: str = "toy", **fields: object) -> Operation:
        request = actions.OrderRequest(name=name, offering=offering, **fields)  # type: ignore[arg-type]
        return actions.order(actor, project=project, request=request)

    return make


def turn(resource: Resource, times: int = 3) -> Resource:
    """Wake the service as its backend would, take turns while it is due at all, and return the row as it is then."""
    claim.wake(handle=resource.handle)
    for _ in range(times):
        if not Resource.objects.filter(id=resource.id).exclude(next_reconcile_at=None).exists():
            break
        engine.reconcile(resource.id)
    return Resource.objects.get(id=resource.id)


@pytest.fixture
def running(order: Callable[..., Operation]) -> Resource:
    """A toy that runs."""
    return turn(order().resource)
