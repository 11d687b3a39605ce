"""A small engine room: one PostgreSQL as a view, brought about by a real supervisor, turn by turn."""

import dataclasses
import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from apps.databases.offerings.postgresql import OFFERING
from apps.databases.offerings.postgresql.children import BACKUPS, DATABASES, USERS
from apps.databases.offerings.postgresql.local import LocalPostgresql
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from portal.clusters.backends.local import codec, files
from portal.clusters.backends.local.certificates import Authority
from portal.clusters.backends.local.layout import Home
from portal.core import conditions
from portal.core.conditions import Status
from portal.core.drivers import ChildView, Observation, Origin, UnitState, View
from tests.clusters.local.conftest import Supervised, bench, packages, supervised

__all__ = ["bench", "packages", "supervised"]  # fixtures that this directory's tests ask for
KINDS = {kind.slug: kind for kind in (DATABASES, USERS, BACKUPS)}
PLAN = OFFERING.plan("dev-2")
assert PLAN is not None


def child(kind: str, name: str, number: int = 1, **values: Any) -> ChildView:
    """Make a part; its id follows from the number, so that what is rendered stays the same."""
    view_fields = {item.name for item in dataclasses.fields(ChildView)}
    own = {key: values.pop(key) for key in list(values) if key in view_fields - {"kind", "name", "spec"}}
    spec = KINDS[kind].spec.model_validate(values)
    own = {"id": uuid.UUID(int=number), "generation": 1, "observed_generation": 0, **own}
    return ChildView(kind=kind, name=name, spec=spec, **own)


def first_children() -> tuple[ChildView, ...]:
    return (child("databases", "defaultdb", 1, main=True), child("users", "admin", 2, main=True))


def view(release: str = "17.10", **changes: Any) -> View:
    """Make a fresh service's view."""
    fields: dict[str, Any] = {
        "handle": "abcdefghijkl",
        "offering": "postgresql",
        "name": "orders-db",
        "version": release.partition(".")[0],
        "release": release,
        "plan": PLAN,
        "spec": PostgresqlSpec(),
        "generation": 1,
        "running": True,
        "restarts": 0,
        "host": "localhost",
        "children": first_children(),
    }
    return View(**{**fields, **changes})


class Service:
    """A service that real turns bring about: render, wish, look, observe, and facts carried on."""

    def __init__(self, room: Supervised, handle: str, release: str, **changes: Any) -> None:
        self.room, self.driver = room, LocalPostgresql()
        self.view = view(release, handle=handle, **changes)
        self.port = random.randrange(10000, 20000)  # below those that portals claim
        self.home = Home(room.data, handle)
        self.observation: Observation | None = None
        self._wished: object = None

    # ---- turns -------------------------------------------------------------------------------------------------------

    def turn(self) -> Observation:
        unit = self.driver.render(self.view)
        wish = (codec.unit_to_json(unit), self.view.generation)
        if wish != self._wished:
            self.room.wish(self.view.handle, unit, generation=self.view.generation, main=self.port)
            self._wished = wish
        seen = self.driver.observe(self.view, self.state())
        facts = {**seen.facts, "endpoints": [endpoint.as_json() for endpoint in seen.endpoints]}
        children = tuple(self._after(row, seen) for row in self.view.children if not self._is_gone(row, seen))
        self.view = dataclasses.replace(self.view, facts=facts, children=children)
        self.observation = seen
        return seen

    def state(self) -> UnitState:
        return dataclasses.replace(self.room.state(self.view.handle), ports={"main": self.port})

    def sample(self) -> Mapping[str, float]:
        """Return what the supervisor measured last."""
        return files.read_json(self.home.sample_file) or {}

    def _is_gone(self, row: ChildView, seen: Observation) -> bool:
        return row.deleting and seen.children[row.id].state == "gone"

    def _after(self, row: ChildView, seen: Observation) -> ChildView:
        what = seen.children[row.id]
        known = (
            row.generation if what.state in ("ready", "succeeded", "failed", "cancelled") else row.observed_generation
        )
        facts = {**row.facts, **what.facts}
        return dataclasses.replace(row, state=what.state, facts=facts, observed_generation=known)

    def until(self, reached: Callable[[], object], what: str, seconds: float = 40.0) -> None:
        def look() -> object:
            self.turn()
            return reached()

        self.room.eventually(look, f"{what}; last seen {self.observation}", seconds)

    def settle(self) -> "Service":
        self.until(lambda: self.observation and self.observation.settled and not self._open(), "it is settled")
        return self

    def _open(self) -> list[ChildView]:
        return [row for row in self.view.children if row.deleting or row.state in ("pending", "running")]

    # ---- what a customer does ----------------------------------------------------------------------------------------

    def change(self, **changes: Any) -> "Service":
        self.view = dataclasses.replace(self.view, generation=self.view.generation + 1, **changes)
        return self.settle()

    def add(self, kind: str, name: str, **values: Any) -> ChildView:
        made = child(kind, name, uuid.uuid4().int, **values)
        self.view = dataclasses.replace(self.view, children=(*self.view.children, made))
        self.settle()
        return self.child(kind, name)

    def child(self, kind: str, name: str) -> ChildView:
        return next(row for row in self.view.children if (row.kind, row.name) == (kind, name))

    def alter(self, row: ChildView, **values: Any) -> "Service":
        changes = {"generation": row.generation + 1, "state": "pending", **values}
        self.view = dataclasses.replace(
            self.view,
            children=tuple(
                dataclasses.replace(each, **changes) if each.id == row.id else each for each in self.view.children
            ),
        )
        return self.settle()

    def delete(self, row: ChildView) -> "Service":
        return self.alter(row, deleting=True)

    def restored(self, backup: ChildView, handle: str) -> "Service":
        """Order a service that is born from a backup, as the portal does: its parts have ids of their own."""
        origin = Origin(self.view.handle, "backups", backup.id, backup.facts)
        parts = [row for row in self.view.children if row.kind != "backups"]
        children = tuple(
            dataclasses.replace(row, id=uuid.uuid4(), state="pending", generation=1, observed_generation=0, facts={})
            for row in parts
        )
        return Service(self.room, handle, self.view.release, origin=origin, children=children)

    def restore_in_place(self, backup: ChildView) -> "Service":
        origin = Origin(self.view.handle, "backups", backup.id, backup.facts, key=str(uuid.uuid4()), in_place=True)
        children = tuple(
            row if row.kind == "backups" else dataclasses.replace(row, generation=row.generation + 1, state="pending")
            for row in self.view.children
        )
        return self.change(origin=origin, children=children)

    # ---- what a client does ------------------------------------------------------------------------------------------

    def uri(self, user: str = "admin", database: str = "") -> str:
        """Return the URI of the Connect page, filled as ``reads`` fills it."""
        connection = next(c for c in self.driver.connect(self.view) if c.username == user)
        uri = connection.uri.replace("{{username}}", quote(user, safe=""))
        uri = re.sub(r"\{\{secret:([^.]+)\.(\w+)\}\}", lambda match: self.home.secrets()[match[1]][match[2]], uri)
        return uri.replace("/defaultdb?", f"/{quote(database, safe='')}?") if database else uri

    @property
    def ca(self) -> Path:
        path = self.room.data / "ca-for-clients.pem"
        path.write_text(Authority(self.room.data).certificate_pem())
        return path

    @contextmanager
    def connected(self, user: str = "admin", database: str = "", **options: Any) -> Iterator[psycopg.Connection[Any]]:
        options = {"sslrootcert": str(self.ca), "connect_timeout": 5, **options}
        with psycopg.connect(self.uri(user, database), autocommit=True, **options) as connection:
            yield connection

    def query(self, sql: str, user: str = "admin", database: str = "") -> list[Any]:
        with self.connected(user, database) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def refused(self, sql: str, user: str = "admin", database: str = "") -> str:
        """Run what must be refused; return the refusal."""
        with pytest.raises(psycopg.Error) as caught:
            self.query(sql, user, database)
        return str(caught.value)


def is_true(observation: Observation, kind: str) -> bool:
    return any(c.type == kind and c.status is Status.TRUE for c in observation.conditions)


def condition(observation: Observation, kind: str) -> conditions.Condition:
    return next(c for c in observation.conditions if c.type == kind)


def facts_after(observation: Observation) -> Mapping[str, Any]:
    return {**observation.facts, "endpoints": [endpoint.as_json() for endpoint in observation.endpoints]}


@pytest.fixture
def ordered(supervised: Supervised) -> Callable[..., Service]:
    """``ordered(release)``: a settled service of that release."""
    number = iter(range(1, 100))

    def order(release: str, **changes: Any) -> Service:
        return Service(supervised, f"pgtest{next(number):06d}", release, **changes).settle()

    return order
