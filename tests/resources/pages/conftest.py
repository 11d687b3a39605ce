"""Rows in the state that a test wants, a flat price, and a toy that has logs and metrics."""

import dataclasses
import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.clusters.backends.base import LogLine, Series
from portal.clusters.models import Cluster
from portal.core import registry
from portal.core.conditions import Condition, Status
from portal.core.offerings import Metric, Offering, Plan, Yes
from portal.core.pricing import Price, PriceLine, pricer
from portal.core.restarts import Restart
from portal.core.specs import Spec
from portal.projects.models import Project
from portal.resources.models import Child, Event, Operation, Resource
from portal.resources.states import refresh
from tests.fixtures import sign_in
from tests.resources.doubles import TOY, MemoryBackend
from tests.resources.offerings import FLEET, WORKSHOP

METRICS = (
    Metric("cpu", "Processor", "percent", (("cpu_percent", "Used"),)),
    Metric("commits", "Commits", "per_second", (("commits_total", "Committed"),)),
)
OBSERVED = dataclasses.replace(
    TOY,
    metrics=METRICS,
    capabilities=dataclasses.replace(TOY.capabilities, metrics=Yes(), logs=Yes(), tls=Yes()),
    icon="database",
    restarts={"local": Restart(seconds=5)},
)
READY = Condition("Ready", Status.TRUE, "Ready", "", 1, "2026-01-01T00:00:00+00:00")
ENDPOINT = {
    "component": "primary",
    "usage": "primary",
    "route": "public",
    "host": "box.example",
    "port": 20001,
    "tls": True,
}


class FlatPricer:
    """One EUR an hour for each vCPU while it runs, and a cent for its disk."""

    def price(self, offering: Offering, plan: Plan, spec: Spec, *, region: str, running: bool = True) -> Price:
        compute = Decimal(0) if plan.free or not running else plan.cpu * plan.nodes
        disk = Decimal(0) if plan.free else Decimal("0.01")
        lines = (("compute", compute), ("storage", disk))
        return Price("EUR", tuple(PriceLine(name, name, Decimal(1), "", amount) for name, amount in lines))


@pytest.fixture(autouse=True)
def prices(settings: Any) -> Iterator[None]:
    settings.PRICER = f"{__name__}.FlatPricer"
    pricer.cache_clear()
    yield
    pricer.cache_clear()


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**registry.offerings(), **{offering.slug: offering for offering in (OBSERVED, FLEET, WORKSHOP)}}
    monkeypatch.setattr(registry, "offerings", lambda: found)


@pytest.fixture
def backend(backend: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> MemoryBackend:
    """The backend in memory, with a log and figures of the last minutes."""
    now = timezone.now().replace(microsecond=0)
    stamps = [(now - datetime.timedelta(seconds=15 * n)).timestamp() for n in range(20, 0, -1)]

    def logs(handle: str, **asked: Any) -> list[LogLine]:
        backend._answer()
        texts = ("ready \x1b[31mred\x1b[0m", "<script>alert(1)</script>", "ERROR: it broke")
        return [LogLine(now, "engine", text) for text in texts]

    def metrics(handle: str, **asked: Any) -> list[Series]:
        backend._answer()
        growing = tuple((at, 30.0 * number) for number, at in enumerate(stamps))
        flat = tuple((at, 40.0) for at in stamps)
        return [Series("cpu_percent", "percent", flat), Series("commits_total", "count", growing)]

    monkeypatch.setattr(backend, "logs", logs)
    monkeypatch.setattr(backend, "metrics", metrics)
    return backend


@pytest.fixture
def make(
    toy: None, backend: MemoryBackend, cluster: Cluster, enqueued: list[object], project: Project
) -> Callable[..., Resource]:
    """``make(name, **fields)``: a row of the toy that runs, or as the fields say, with its first user."""

    def row(name: str = "box", **fields: Any) -> Resource:
        now = timezone.now()
        resource = Resource(
            project=fields.pop("project", project),
            region=cluster.region,
            cluster=cluster,
            offering_slug="toy",
            version="2",
            release="2.0",
            name=name,
            plan_slug="dev-2",
            spec=OBSERVED.spec().model_dump(mode="json"),
            observed_generation=1,
            ready_once_at=now,
            conditions=[READY.as_json()],
            facts={"endpoints": [ENDPOINT]},
        )
        for key, value in fields.items():
            setattr(resource, key, value)
        refresh(resource)
        resource.save()
        spec = {"access": "write", "main": True, "predecessor": None}
        Child.objects.create(
            resource=resource, kind="users", name="admin", spec=spec, state="ready", observed_generation=1
        )
        return resource

    return row


@pytest.fixture
def backup() -> Callable[..., Child]:
    """``backup(resource, name, state)``: a backup of it."""

    def row(resource: Resource, name: str = "nightly", state: str = "succeeded") -> Child:
        ended = timezone.now() if state not in ("pending", "running") else None
        facts = {"artifact": "nightly.tar.gz", "bytes": 2048}
        child = Child.objects.create(
            resource=resource, kind="backups", name=name, state=state, facts=facts, finished_at=ended
        )
        child.resource = resource
        return child

    return row


@pytest.fixture
def operation() -> Callable[..., Operation]:
    """``operation(resource, **fields)``: something that runs on it."""

    def row(resource: Resource, **fields: Any) -> Operation:
        deadline = timezone.now() + datetime.timedelta(minutes=5)
        values = {"type": "create", "generation": resource.generation, "deadline_at": deadline, "state": "running"}
        made = Operation.objects.create(resource=resource, **{**values, **fields})
        Event.objects.create(
            resource=resource, project=resource.project, operation=made, reason="Requested", message="Create requested"
        )
        return made

    return row


@pytest.fixture
def browser(developer: User, client_of: Callable[[User], Client]) -> Client:
    """A developer's browser."""
    return client_of(developer)


@pytest.fixture
def htmx(developer: User) -> Client:
    """A developer's browser whose requests come from htmx."""
    client = Client(headers={"HX-Request": "true"})
    sign_in(client, developer)
    return client
