"""A customer over the API at a portal with a real supervisor and real engines; rows are committed by nobody else."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from pytest_django.fixtures import _django_db_helper
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.clusters.backends.local.backend import LocalBackend
from portal.clusters.models import Cluster, Region
from portal.projects.models import Project
from portal.resources import engine, tasks
from portal.resources.engine import claim
from portal.resources.models import Resource
from tests.clusters.local.conftest import Supervised, bench, packages, supervised
from tests.fixtures import plain_frame

__all__ = ["_django_db_helper", "bench", "packages", "plain_frame", "supervised"]


class Customer:
    """Asks by HTTP; the engine turns whenever somebody waits."""

    def __init__(self, room: Supervised, client: APIClient, project: Project) -> None:
        self.room, self.client, self.project = room, client, project

    def call(self, verb: str, path: str, body: Any = None) -> Any:
        return getattr(self.client, verb)(f"/api/v1{path}", body if body is not None else {}, format="json")

    def ok(self, verb: str, path: str, body: Any = None) -> Any:
        answer = self.call(verb, path, body)
        assert answer.status_code < 300, answer.content
        return answer.json()

    def order(self, name: str, **fields: Any) -> str:
        """Order a PostgreSQL and return the service's id, before it has come to anything."""
        body = {"name": name, "offering": "postgresql", "plan": "free", **fields}
        return str(self.ok("post", f"/projects/{self.project.slug}/services", body)["service"])

    def turn(self, service: str) -> dict[str, Any]:
        """Have the engine look at a service, and return it as the API shows it then."""
        handle = self.row(service).handle
        claim.wake(handle=handle)
        engine.reconcile(self.row(service).id)
        found: dict[str, Any] = self.ok("get", f"/services/{service}")
        return found

    def row(self, service: str) -> Resource:
        return next(row for row in Resource.objects.all() if row.public_id == service)

    def until(self, service: str, look: Callable[[dict[str, Any]], object], what: str, seconds: float = 60) -> Any:
        self.room.eventually(lambda: look(self.turn(service)), what, seconds)
        return self.ok("get", f"/services/{service}")

    def said(self, service: str, kind: str = "Ready") -> tuple[str, str]:
        """Return reason and message of a condition, as a customer reads it."""
        found = self.ok("get", f"/services/{service}")["conditions"]
        return next(((c["reason"], c["message"]) for c in found if c["type"] == kind), ("", ""))

    def finished(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Wait for an operation's end, which must be a good one."""
        shown: dict[str, Any] = {}

        def look() -> bool:
            self.turn(operation["service"])
            shown.update(self.ok("get", f"/operations/{operation['id']}"))
            return shown["state"] not in ("queued", "running")

        self.room.eventually(look, f"{operation['type']} ends", 90)
        assert shown["state"] == "succeeded", shown
        return shown

    def connection(self, service: str, user: str = "admin", database: str = "") -> psycopg.Connection[Any]:
        page = self.ok("get", f"/services/{service}/credentials")["items"]
        key = next(item["id"] for item in page if item["username"] == user)
        shown = self.ok("post", f"/services/{service}/credentials/{key}/reveal")
        authority = self.room.data / "ca-for-clients.pem"
        authority.write_text(shown["ca_pem"])
        options = {"dbname": database} if database else {}
        return psycopg.connect(shown["uri"], sslrootcert=str(authority), autocommit=True, **options)


@pytest.fixture
def customer_of(
    monkeypatch: pytest.MonkeyPatch, admin: User, project: Project, api_of: Callable[..., APIClient]
) -> Callable[[Supervised], Customer]:
    """``customer_of(room)``: a customer of a portal whose local services run in that room."""

    def make(room: Supervised) -> Customer:
        cache.clear()
        region = Region.objects.create(slug="local", name="This machine")
        cluster = Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})
        backend = LocalBackend(cluster, data=room.data)
        monkeypatch.setattr("portal.resources.engine.turn.backend_of", lambda cluster: backend)
        monkeypatch.setattr("portal.clusters.reads.backend_of", lambda cluster: backend)
        monkeypatch.setattr(tasks, "enqueue", lambda resource_id: None)
        return Customer(room, api_of(admin), project)

    return make


@pytest.fixture
def customer(supervised: Supervised, customer_of: Callable[[Supervised], Customer]) -> Customer:
    return customer_of(supervised)


@pytest.fixture
def empty_packages(bench: Supervised, tmp_path: Path) -> Iterator[Path]:
    """A supervisor that has no package yet, and its prefix."""
    real, bench.packages = bench.packages, tmp_path / "packages"
    bench.packages.mkdir()
    bench.real_packages = real  # type: ignore[attr-defined]
    bench.walls = "bare"  # the sandbox is a package as well
    yield bench.packages
    for at, folders, _files in os.walk(bench.packages):  # the supervisor still runs, and may take one away
        for path in (Path(at, name) for name in folders):
            if not path.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    path.chmod(0o755)
    shutil.rmtree(bench.packages, ignore_errors=True)
