"""A portal that counts its points: the toy offering, the real local backend on a directory of its own, one client."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import ApiToken, User
from portal.clusters import registry as clusters
from portal.clusters.backends.local import backend, discovery
from portal.clusters.backends.local.ports import Allocator
from portal.clusters.backends.local.stores import TablePortStore
from portal.clusters.models import Cluster, Region
from portal.core import pricing, registry
from portal.projects.models import Project
from portal.resources import tasks
from tests.api.doubles import FlatPricer
from tests.chaos.every_write.broker import Broker, Obedient
from tests.chaos.every_write.world import World
from tests.resources.doubles import TOY
from tests.resources.offerings import WORKSHOP

_WRITES = ("INSERT", "UPDATE", "DELETE")
_TABLES = (
    *("resources_event", "resources_operation", "resources_link", "resources_change", "resources_child"),
    *("resources_quote", "resources_idempotencykey", "resources_resource", "audit_auditevent"),
    *("audit_head", "clusters_portreservation"),
)
CAPABILITIES: dict[str, Any] = {"isolation": True}


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """``tell(line)``: say it in the run's output, and keep it in its report."""

    def say(line: str) -> None:
        record_property("points", line)
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return say


@pytest.fixture
def new_world(
    db: None,
    project: Project,
    developer: User,
    api_of: Callable[..., APIClient],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[[], World]:
    """``new_world()``: an empty portal with one project; what it did before is gone."""
    settings.PRICER = f"{FlatPricer.__module__}.{FlatPricer.__name__}"
    pricing.pricer.cache_clear()
    offerings = {**registry.offerings(), TOY.slug: TOY, WORKSHOP.slug: WORKSHOP}
    monkeypatch.setattr(registry, "offerings", lambda: offerings)
    monkeypatch.setattr(discovery, "discover", lambda data, packages: {**CAPABILITIES, "host": "127.0.0.1"})
    region = Region.objects.create(slug="local", name="This machine")
    cluster = Cluster.objects.create(region=region, name="local", kind="local", capabilities=CAPABILITIES)
    client, made = api_of(developer), [0]

    def make() -> World:
        made[0] += 1
        data = tmp_path / f"life-{made[0]}"
        data.mkdir()
        settings.ARCHIPEL_DATA, settings.AUDIT_HEADS = data, data / "audit-heads"
        _empty(cluster)
        world = World(Broker(data / "broker"), Obedient(data), client, data)
        _count_sql(world, monkeypatch)
        _count_backend(world, cluster, monkeypatch)
        _count_messages(world, monkeypatch)
        return world

    return make


def _empty(cluster: Cluster) -> None:
    """Begin anew: no service was ever there."""
    with connections["default"].cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(_TABLES)} CASCADE")
    Cluster.objects.filter(id=cluster.id).update(capabilities=CAPABILITIES, discovered_at=None)
    ApiToken.objects.update(last_used_at=timezone.now())  # else the first request notes its use
    cache.clear()


def _count_sql(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a point before and after each writing statement and each commit."""
    connection = connections["default"]

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        words = sql.lstrip().split(maxsplit=3)
        if words[0] not in _WRITES:
            return execute(sql, params, many, context)
        table = next(word for word in words[1:] if word not in ("INTO", "FROM")).strip('"')
        return world.around(f"{words[0]} {table}", execute)(sql, params, many, context)

    monkeypatch.setattr(connection, "execute_wrappers", [wrapper])
    commit = type(connection)._commit
    monkeypatch.setattr(connection, "_commit", lambda: world.around("COMMIT", commit)(connection))


def _count_backend(world: World, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a point before and after each call of the backend that changes something."""
    allocator = Allocator(TablePortStore(cluster), world.data, world.data / "claims")
    local = backend.LocalBackend(cluster, data=world.data, allocator=allocator)
    for name in ("ensure_secrets", "apply", "delete"):
        monkeypatch.setattr(local, name, world.around(f"backend {name}", getattr(local, name)), raising=False)
    monkeypatch.setattr(clusters, "_backend", lambda *of_cluster: local)


def _count_messages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a point before and after each message, which goes to the world's own broker."""

    def send(arguments: tuple[str], **options: Any) -> None:
        world.around("message", world.broker.send)(("reconcile", *arguments))

    monkeypatch.setattr(tasks.reconcile, "apply_async", send)
