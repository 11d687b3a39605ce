"""Passwords that lie in a Kubernetes cluster: made and read by the portal, and found in nothing that it keeps or says.

The API server is a double, for a real one quotes what it was sent only where something in it is wrong.
"""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from portal.clusters.backends.base import Tenancy
from portal.clusters.backends.kubernetes import kubeconfig, seen, tenancy
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.models import Cluster, Inventory, SeenObject
from portal.core.drivers.kubernetes import SECRET
from portal.core.vault import seal
from portal.resources import engine
from portal.resources.models import Resource
from tests.cluster.kubernetes_rows import turn
from tests.clusters.kubernetes.double import Asked, Double, Reply, running, status
from tests.matrix.search import Search
from tests.matrix.test_canaries import OF_STATE
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
QUOTED = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid", 500: "InternalError"}


class Objects:
    """What a double holds: takes what comes, gives it back by its path, counts versions, and keeps each value."""

    def __init__(self, double: Double) -> None:
        self.held: dict[str, Any] = {}
        self.values: set[str] = set()
        double.answer = self.answer

    def answer(self, asked: Asked) -> Reply:
        path = asked.path.partition("?")[0]
        if asked.method in ("POST", "PUT", "PATCH"):
            return self._take(path, asked)
        if asked.method == "DELETE":
            self.held.pop(path, None)
            return Reply(200, {"kind": "Status", "status": "Success"})
        if path in self.held:
            return Reply(200, self.held[path])
        items = [one for place, one in self.held.items() if place.startswith(f"{path}/")]
        is_list = "limit=" in asked.path
        listed = {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}
        return Reply(200, listed) if is_list else status(404, "NotFound", name="x")

    def _take(self, path: str, asked: Asked) -> Reply:
        body, name = asked.body, asked.body["metadata"]["name"]
        path = f"{path}/{name}" if asked.method == "POST" else path
        self.learn(body)
        if asked.method == "POST" and path in self.held:
            return status(409, "AlreadyExists")
        version = str(len(self.held) + int(self.held.get(path, {"metadata": {}})["metadata"].get("resourceVersion", 1)))
        self.held[path] = {**body, "metadata": {**body["metadata"], "uid": name, "resourceVersion": version}}
        return Reply(200, self.held[path])

    def learn(self, body: Any) -> None:
        """Keep the values of a Secret, as they are sent and as they are."""
        data = list((body.get("data") or {}).values()) if body.get("kind") == "Secret" else []
        self.values |= {*data, *(base64.b64decode(value).decode() for value in data)}

    def quoting(self, code: int, reason: str) -> Callable[[Asked], Reply]:
        """Return answers that refuse whatever holds a secret, and say what it was."""

        def answer(asked: Asked) -> Reply:
            if asked.method != "POST" or not asked.path.partition("?")[0].endswith("/secrets"):
                return self.answer(asked)
            self.learn(asked.body)
            words = f'admission webhook "x" denied the request: {json.dumps(asked.body)}'
            return status(code, reason, words, causes=[{"reason": "x", "message": words, "field": "data"}])

        return answer


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with running(tmp_path) as found:
        yield found


@pytest.fixture
def objects(double: Double) -> Objects:
    return Objects(double)


@pytest.fixture
def backend(world: World, double: Double) -> Iterator[KubernetesBackend]:
    """A cluster of the world's own region, behind the double."""
    tenancy.forget()
    with transaction.atomic():
        config = seal(kubeconfig.written(double.access))
        row = Cluster.objects.create(region=world.mine.region, name="far", kind="kubernetes", kubeconfig=config)
        client = Client(double.access)
        yield KubernetesBackend(row, client=client)
        client.close()
        transaction.set_rollback(True)


@pytest.fixture
def place(world: World) -> Tenancy:
    return Tenancy("prj-canary", world.project.organization_id, world.project.id)


def search(world: World, objects: Objects, caplog: pytest.LogCaptureFixture) -> Search:
    return Search(world, {f"value {number}": value for number, value in enumerate(sorted(objects.values))}, caplog)


def test_what_is_made_seen_and_read_there_is_kept_nowhere(
    world: World, backend: KubernetesBackend, place: Tenancy, objects: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    handle = world.mine.handle
    turn(backend, handle, place)
    turn(backend, handle, place, port=81, fence=2, rotation=1)
    secrets = {path: one for path, one in objects.held.items() if one["kind"] == "Secret"}
    for one in secrets.values():  # as an API server tells it that knows no metadata alone
        seen.note(backend._cluster_id, handle, SECRET, {**one, "stringData": {"again": "canary-in-plain"}})
    told = {value for group in backend.reveal(handle, ["admin"]).values() for value in group.values()}
    assert told
    assert told <= objects.values
    assert len(objects.values) == 6, (
        "the old and the new password, and one that came too late: each as sent and as it is"
    )
    objects.values.add("canary-in-plain")
    assert Inventory.objects.get(handle=handle).secrets
    assert SeenObject.objects.filter(handle=handle, kind=SECRET.key, gone=False).count() == 1
    found = search(world, objects, caplog)
    assert found.lines()
    assert found.everywhere(where=OF_STATE) == []
    SeenObject.objects.filter(handle=handle, kind=SECRET.key).update(content=next(iter(secrets.values())))
    leaks = {leak.partition(": ")[2] for leak in found.tables()}
    assert leaks == {"clusters_seenobject.content"}, "it is not looked for there"


@pytest.mark.parametrize(("code", "reason"), QUOTED.items())
def test_a_refusal_that_quotes_what_it_was_sent_is_repeated_to_nobody(
    world: World, backend: KubernetesBackend, place: Tenancy, objects: Objects, double: Double,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, code: int, reason: str,
) -> None:  # fmt: skip
    """In the engine's turn of a service of the world: its conditions, events, rows and pages, and all log lines."""
    caplog.set_level(logging.DEBUG)
    row = world.mine
    backend.prepare(row.handle, place)
    double.answer = objects.quoting(code, reason)
    monkeypatch.setattr(world.backend, "ensure_secrets", backend.ensure_secrets)
    Resource.objects.filter(id=row.id).update(next_reconcile_at=timezone.now(), lease_until=None)
    engine.reconcile(row.id)
    assert objects.values, "it was sent"
    assert Resource.objects.get(id=row.id).failures == 1
    assert search(world, objects, caplog).everywhere(where=OF_STATE) == []
