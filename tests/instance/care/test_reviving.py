"""A restored database in its new place: nobody is signed in, services find their data, ports that are taken change."""

import random
import socket
from pathlib import Path

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import SignInLink, User
from portal.audit.models import AuditEvent
from portal.clusters.backends.local import ports
from portal.clusters.backends.local.layout import Home
from portal.clusters.models import Cluster, PortReservation, Region
from portal.core import conditions, ids
from portal.instance.care import reviving
from portal.instance.care.archive import Service
from portal.projects.models import Project
from portal.resources.models import Child, Event, Resource


@pytest.fixture
def data(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.ARCHIPEL_DATA = tmp_path / "data"
    (settings.ARCHIPEL_DATA / "services").mkdir(parents=True)
    monkeypatch.setattr(ports.Allocator.__init__, "__defaults__", (tmp_path / "claims",))
    return Path(settings.ARCHIPEL_DATA)


@pytest.fixture
def shop(project: Project) -> Resource:
    region = Region.objects.create(slug="here", name="Here")
    cluster = Cluster.objects.create(region=region, name="here", kind=Cluster.Kind.LOCAL)
    ready = [{"type": "Ready", "status": "True", "reason": "Ready", "message": "", "last_transition_at": None}]
    return Resource.objects.create(
        project=project,
        region=region,
        cluster=cluster,
        offering_slug="postgresql",
        version="17",
        release="17.10",
        name="shop",
        plan_slug="free",
        observed_generation=1,
        conditions=[{**ready[0], "observed_generation": 1, "last_transition_at": timezone.now().isoformat()}],
        facts={"release": "17.10", "data": "data-old"},
        ready_once_at=timezone.now(),
        lease_token=ids.uuid7(),
        lease_until=timezone.now(),
    )


def test_who_was_signed_in_is_not_any_more(owner: User, data: Path) -> None:
    SessionStore().save()
    SignInLink.objects.create(user=owner, digest="x", expires_at=timezone.now())
    reviving.revive([])
    assert not Session.objects.exists()
    assert not SignInLink.objects.exists()
    assert AuditEvent.objects.filter(action="portal.restored").count() == 1


def test_a_service_with_a_backup_is_born_from_it_and_one_that_was_copied_goes_on(shop: Resource, data: Path) -> None:
    backup = Child.objects.create(resource=shop, kind="backups", name="one", facts={"artifact": "x/base.tar.gz"})
    reviving.revive([Service(shop.handle, shop.name, "backup", str(backup.id))])

    shop.refresh_from_db()
    assert shop.origin == {
        "handle": shop.handle,
        "kind": "backups",
        "child_id": str(backup.id),
        "facts": {"artifact": "x/base.tar.gz", "name": "one"},
    }
    assert shop.facts == {}
    assert shop.lease_token is None
    assert not conditions.is_true(shop.conditions, "Ready")

    Resource.objects.filter(id=shop.id).update(origin=None, facts={"data": "data-x"})
    reviving.revive([Service(shop.handle, shop.name, "copy")])
    shop.refresh_from_db()
    assert (shop.origin, shop.facts) == (None, {"data": "data-x"})


def test_a_service_that_the_archive_holds_nothing_of_begins_empty_and_says_so(shop: Resource, data: Path) -> None:
    reviving.revive([])
    shop.refresh_from_db()
    assert shop.facts == {}
    assert "begins empty" in Event.objects.get(resource=shop, reason="Restored").message


def test_a_free_port_is_kept_and_a_taken_one_is_given_back(shop: Resource, data: Path) -> None:
    span = random.sample(range(ports.FIRST, ports.LAST), ports.LAST - ports.FIRST)  # portals give the lowest first
    with socket.socket() as taken:
        port = next(port for port in span if _listens(taken, port))
        free = next(n for n in span if n != port and ports.bindable(n))
        PortReservation.objects.create(cluster=shop.cluster, handle=shop.handle, name="main", port=port)
        PortReservation.objects.create(cluster=shop.cluster, handle="another", name="main", port=free)
        reviving.revive([Service(shop.handle, shop.name, "copy")])
    assert list(PortReservation.objects.values_list("handle", "port")) == [("another", free)]
    assert "another" in Event.objects.get(resource=shop, reason="Restored").message


def _listens(taken: socket.socket, port: int) -> bool:
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        return False
    taken.listen()
    return True


def test_files_of_a_service_that_the_database_does_not_know_go(shop: Resource, data: Path) -> None:
    known, unknown = Home(data, shop.handle), Home(data, "unknown00000")
    known.make()
    unknown.make()
    reviving.revive([Service(shop.handle, shop.name, "copy")])
    assert known.exists()
    assert not unknown.exists()
