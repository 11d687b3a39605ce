"""A small engine room: one Valkey as a view, brought about by a real supervisor, and its clients over verified TLS."""

import dataclasses
import json
import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from redis.cluster import RedisCluster

from apps.databases.offerings.valkey import OFFERING, connect
from apps.databases.offerings.valkey.children import BACKUPS, USERS
from apps.databases.offerings.valkey.local import LocalValkey
from apps.databases.offerings.valkey.spec import ValkeySpec
from portal.clusters.backends.local import codec
from portal.clusters.backends.local.layout import Home
from portal.core.drivers import ChildView, Observation, Origin, UnitState, View
from tests.clusters.local.conftest import Supervised
from tests.databases.conftest import Service

KINDS = {kind.slug: kind for kind in (USERS, BACKUPS)}
DRIVER = LocalValkey()


def plan(slug: str) -> Any:
    found = OFFERING.plan(slug)
    assert found is not None
    return found


def child(kind: str, name: str, number: int = 1, **values: Any) -> ChildView:
    """Make a part; its id follows from the number, so that what is rendered stays the same."""
    view_fields = {item.name for item in dataclasses.fields(ChildView)}
    own = {key: values.pop(key) for key in list(values) if key in view_fields - {"kind", "name", "spec"}}
    spec = KINDS[kind].spec.model_validate(values)
    own = {"id": uuid.UUID(int=number), "generation": 1, "observed_generation": 0, **own}
    return ChildView(kind=kind, name=name, spec=spec, **own)


def first_children() -> tuple[ChildView, ...]:
    return (child("users", "admin", 2, main=True, access="admin"),)


def view(release: str = "9.1.2", **changes: Any) -> View:
    """Make a fresh service's view."""
    fields: dict[str, Any] = {
        "handle": "abcdefghijkl",
        "offering": "valkey",
        "name": "cache",
        "version": release.rpartition(".")[0],
        "release": release,
        "plan": plan("dev-1"),
        "spec": ValkeySpec(),
        "generation": 1,
        "running": True,
        "restarts": 0,
        "host": "localhost",
        "children": first_children(),
    }
    return View(**{**fields, **changes})


class ValkeyService(Service):
    """A service that real turns bring about, with a port for each name that its unit has."""

    def __init__(self, room: Supervised, handle: str, release: str, **changes: Any) -> None:
        self.room, self.driver = room, DRIVER  # type: ignore[assignment]
        self.view = view(release, handle=handle, **changes)
        self.base = random.randrange(10000, 19900, 20)  # below those that portals claim
        self.ports: dict[str, int] = {}
        self.home = Home(room.data, handle)
        self.observation: Observation | None = None
        self._wished: object = None

    def state(self) -> UnitState:
        from portal.clusters.backends.local import files

        sample = {name: float(value) for name, value in (files.read_json(self.home.sample_file) or {}).items()}
        disk = int(sample.get("disk_bytes", 0))
        return dataclasses.replace(self.room.state(self.view.handle), ports=self.ports, sample=sample, disk_bytes=disk)

    def turn(self) -> Observation:
        unit = self.driver.render(self.view)
        for name in unit.ports:
            self.ports.setdefault(name, self.base + len(self.ports))
        wish = (codec.unit_to_json(unit), self.view.generation)
        if wish != self._wished:
            self.room.wish(self.view.handle, unit, generation=self.view.generation, **self.ports)
            self._wished = wish
        seen = self.driver.observe(self.view, self.state())
        facts = {**seen.facts, "endpoints": [endpoint.as_json() for endpoint in seen.endpoints]}
        facts = json.loads(json.dumps(facts))
        children = tuple(self._after(row, seen) for row in self.view.children if not self._is_gone(row, seen))
        self.view = dataclasses.replace(self.view, facts=facts, children=children)
        self.observation = seen
        return seen

    def until(self, reached: Callable[[], object], what: str, seconds: float = 120.0) -> None:
        super().until(reached, what, seconds)

    # ---- what a customer does ----------------------------------------------------------------------------------------

    def respec(self, **values: Any) -> "ValkeyService":
        self.change(spec=self.view.spec.model_copy(update=values))
        return self

    def add(self, kind: str, name: str, **values: Any) -> ChildView:
        made = child(kind, name, uuid.uuid4().int, **values)
        self.view = dataclasses.replace(self.view, children=(*self.view.children, made))
        self.settle()
        return self.child(kind, name)

    def restored(self, backup: ChildView, handle: str) -> "ValkeyService":
        origin = Origin(self.view.handle, "backups", backup.id, backup.facts)
        children = tuple(
            dataclasses.replace(row, id=uuid.uuid4(), state="pending", generation=1, observed_generation=0, facts={})
            for row in self.view.children
            if row.kind != "backups"
        )
        fields = {"plan": self.view.plan, "spec": self.view.spec, "origin": origin, "children": children}
        return ValkeyService(self.room, handle, self.view.release, **fields)

    # ---- what a client does ------------------------------------------------------------------------------------------

    def uri(self, user: str = "admin", database: str = "") -> str:
        """Return the URI of the Connect page, filled as ``reads`` fills it."""
        connection = next(c for c in connect.connections(self.view) if c.username == user)
        uri = connection.uri.replace("{{username}}", user)
        return re.sub(r"\{\{secret:([^.]+)\.(\w+)\}\}", lambda match: self.home.secrets()[match[1]][match[2]], uri)

    def client(self, user: str = "admin", *, port: str = "main", **options: Any) -> "redis.Redis":
        """Return a client of one port; the URI says which user and password."""
        address = urlsplit(self.uri(user))
        fields = {"username": address.username, "password": address.password, "socket_timeout": 10, **options}
        authority = str(self.ca)
        found: redis.Redis = redis.Redis(
            host="localhost",
            port=self.ports[port],
            ssl=True,
            ssl_ca_certs=authority,
            decode_responses=True,
            **fields,
        )
        return found

    def cluster(self, user: str = "admin") -> "RedisCluster":
        return RedisCluster.from_url(self.uri(user), ssl_ca_certs=str(self.ca), decode_responses=True)

    @contextmanager
    def own(self, node: int = 1) -> Iterator["redis.Redis"]:
        """Yield the platform's own way in to a node."""
        password = self.home.secrets()["platform"]["password"]
        client = redis.Redis(
            unix_socket_path=str(self.home.run / f"node-{node}.sock"),
            username="platform",
            password=password,
            decode_responses=True,
        )
        try:
            yield client
        finally:
            client.close()

    def info(self, node: int = 1) -> Mapping[str, Any]:
        with self.own(node) as client:
            found: Mapping[str, Any] = client.info()
            return found

    def denied(self, *words: str, user: str = "admin", port: str = "main") -> str:
        """Run what must be refused; return the refusal."""
        with self.client(user, port=port) as client, pytest.raises(redis.exceptions.ResponseError) as caught:
            client.execute_command(*words)
        return str(caught.value)
