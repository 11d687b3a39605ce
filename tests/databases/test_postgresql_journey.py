"""An order's whole life through the kernel: actions, engine, local backend, supervisor, PostgreSQL."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from portal.accounts.models import User
from portal.clusters.backends.local.backend import LocalBackend
from portal.clusters.models import Cluster, Region
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects.models import Project
from portal.resources import actions, engine, tasks
from portal.resources.engine import claim
from portal.resources.models import Child, Operation, Resource
from tests.clusters.local.conftest import Supervised

pytestmark = pytest.mark.engine


class Portal:
    """A customer at a portal whose engine turns whenever somebody waits."""

    def __init__(self, room: Supervised, actor: Actor, project: Project) -> None:
        self.room, self.actor, self.project = room, actor, project

    def done(self, operation: Operation) -> Resource:
        """Turn until an operation has ended well; return its service."""

        def look() -> bool:
            claim.wake(handle=operation.resource.handle)
            engine.reconcile(operation.resource_id)
            operation.refresh_from_db()
            return operation.finished_at is not None

        self.room.eventually(look, f"{operation.type} ends", 60)
        assert operation.state == "succeeded", (operation.state, operation.message)
        return Resource.objects.get(id=operation.resource_id)

    def order(self, name: str, **fields: Any) -> Resource:
        request = actions.OrderRequest(name=name, offering="postgresql", **fields)
        return self.done(actions.order(self.actor, project=self.project, request=request))

    def login(self, resource: Resource, name: str = "admin") -> Child:
        return Child.objects.get(resource=resource, kind="users", name=name)

    def query(self, resource: Resource, sql: str, name: str = "admin") -> list[Any]:
        secret = actions.reveal(self.actor, self.login(resource, name))
        ca = self.room.data / "ca-for-clients.pem"
        ca.write_text(str(secret["ca_pem"]))
        with psycopg.connect(str(secret["uri"]), sslrootcert=str(ca), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def kind(self, resource: Resource, slug: str) -> Any:
        return resource.offering.child(slug)


@pytest.fixture
def portal(
    supervised: Supervised,
    monkeypatch: pytest.MonkeyPatch,
    developer: User,
    admin: User,
    project: Project,
    actor_of: Callable[..., Actor],
) -> Portal:
    region = Region.objects.create(slug="local", name="This machine")
    cluster = Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})
    backend = LocalBackend(cluster, data=supervised.data)
    monkeypatch.setattr("portal.resources.engine.turn.backend_of", lambda cluster: backend)
    monkeypatch.setattr("portal.clusters.reads.backend_of", lambda cluster: backend)
    monkeypatch.setattr(tasks, "enqueue", lambda resource_id: None)
    return Portal(supervised, actor_of(admin), project)


@pytest.mark.django_db
def test_from_the_order_to_the_last_byte(portal: Portal) -> None:
    db = portal.order("orders-db", version="17.9")
    assert (db.state, db.health, db.release) == ("running", "healthy", "17.9")
    portal.query(db, "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS n")

    db = portal.done(actions.upgrade(portal.actor, db, version="17.10"))
    db = portal.done(actions.resize(portal.actor, db, plan="standard-4"))
    assert portal.query(db, "SHOW shared_buffers") == [("1GB",)]
    db = portal.done(actions.stop(portal.actor, db))
    assert db.state == "stopped"
    db = portal.done(actions.start(portal.actor, db))
    assert portal.query(db, "SELECT count(*), current_setting('server_version') FROM orders") == [(1000, "17.10")]

    portal.done(actions.create_child(portal.actor, db, portal.kind(db, "databases"), name="shop"))
    portal.done(actions.create_child(portal.actor, db, portal.kind(db, "users"), name="app", spec={"access": "read"}))
    assert portal.query(db, "SELECT count(*) FROM orders", "app") == [(1000,)]
    portal.done(actions.rotate_credential(portal.actor, portal.login(db)))
    assert portal.query(db, "SELECT 1", "admin-2") == portal.query(db, "SELECT 1", "admin") == [(1,)]
    portal.done(actions.complete_rotation(portal.actor, portal.login(db)))
    assert portal.query(db, "SELECT session_user::text", "admin-2") == [("admin-2",)]

    operation = actions.create_child(portal.actor, db, portal.kind(db, "backups"))
    portal.done(operation)
    backup = Child.objects.get(resource=db, kind="backups")
    portal.query(db, "DELETE FROM orders", "admin-2")
    copy = portal.done(actions.restore(portal.actor, db, backup=backup, target_name="orders-copy"))
    assert portal.query(copy, "SELECT count(*) FROM orders", "admin-2") == [(1000,)]
    assert portal.query(copy, "SELECT count(*) FROM orders", "app") == [(1000,)]
    assert portal.query(db, "SELECT count(*) FROM orders", "admin-2") == [(0,)]
    db = portal.done(actions.restore(portal.actor, db, backup=backup, in_place=True))
    assert portal.query(db, "SELECT count(*) FROM orders", "admin-2") == [(1000,)]

    db = portal.done(actions.delete(portal.actor, db))
    assert (db.state, db.deleted_at is not None) == ("deleted", True)
    db = portal.done(actions.undelete(portal.actor, db))
    assert portal.query(db, "SELECT count(*) FROM orders", "admin-2") == [(1000,)]
    for service in (db, copy):
        gone = portal.done(actions.delete(portal.actor, service, policy="wipe"))
        assert gone.state == "purged"
    assert not list((portal.room.data / "services").glob("[a-z]*"))


@pytest.mark.django_db
def test_a_damaged_backup_fails_its_operation_and_leaves_the_data(portal: Portal) -> None:
    db = portal.order("orders-db")
    portal.query(db, "CREATE TABLE orders AS SELECT 1 AS n")
    portal.done(actions.create_child(portal.actor, db, portal.kind(db, "backups")))
    backup = Child.objects.get(resource=db, kind="backups")
    path = portal.room.data / "services" / db.handle / "artifacts" / backup.facts["artifact"]
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(AssertionError, match="failed"):
        portal.done(actions.restore(portal.actor, db, backup=backup, in_place=True))
    db = portal.done(actions.restart(portal.actor, Resource.objects.get(id=db.id)))
    assert (db.state, db.health) == ("running", "degraded")
    assert portal.query(db, "SELECT n FROM orders") == [(1,)]


@pytest.mark.django_db
def test_an_ended_line_wants_a_tick_and_then_runs(portal: Portal) -> None:
    with pytest.raises(Problem) as refused:
        portal.order("old-db", version="14")
    assert refused.value.errors[0].code == "end_of_support"
    db = portal.order("old-db", version="14", acknowledge=("end_of_support",))
    assert portal.query(db, "SHOW server_version") == [("14.23",)]
