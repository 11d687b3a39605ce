"""The maintenance window: when it is open, who is upgraded in it and how often, and what it says before."""

import datetime
import uuid
from collections.abc import Callable

import pytest

from portal.audit.models import AuditEvent
from portal.celery import app
from portal.core.actors import Actor
from portal.core.ids import uuid7
from portal.resources import actions, maintenance, tasks
from portal.resources.actions import Edit
from portal.resources.actions.maintaining import maintain, pending_update
from portal.resources.maintenance import Window
from portal.resources.models import Event, Operation, Resource
from tests.resources.conftest import turn
from tests.resources.test_actions import refused

SUNDAY = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


def at(hour: int, minute: int = 0, *, days: int = 0) -> datetime.datetime:
    return SUNDAY + datetime.timedelta(days=days, hours=hour, minutes=minute)


@pytest.fixture
def behind(order: Callable[..., Operation]) -> Resource:
    """A toy that runs 2.0 where 2.1 is there, with its window on Sundays from 02:00."""
    resource = turn(order(version="2.0").resource)
    Resource.objects.filter(id=resource.id).update(maintenance=maintenance.usual())
    return Resource.objects.get(id=resource.id)


def test_a_window_is_two_hours_of_each_week_over_midnight_too() -> None:
    night = Window("saturday", datetime.time(23))
    assert [night.open_since(at(hour)) for hour in (-2, -1, 0, 1)] == [None, at(-1), at(-1), None]
    assert night.last(at(3, days=4)) == at(-1)
    assert night.last(at(-2)) == at(-1, days=-7)
    assert night.words() == "Saturday 23:00–01:00 UTC"


def test_orders_are_spread_over_the_nights_and_always_the_same_way() -> None:
    windows = [maintenance.load(maintenance.of_order(uuid7())) for _ in range(2000)]
    assert {window.day for window in windows} == set(maintenance.DAYS)
    assert all(window.start >= datetime.time(22) or window.start <= datetime.time(2) for window in windows)
    assert len({(window.day, window.start) for window in windows}) > 100
    known = uuid.UUID("01930000-0000-7000-8000-000000000001")
    assert maintenance.of_order(known) == maintenance.of_order(known)


@pytest.mark.django_db
def test_an_order_gets_its_window_and_its_owner_may_choose_another(running: Resource, actor: Actor) -> None:
    assert running.maintenance == maintenance.of_order(running.id)
    asked = {"day": "friday", "start_utc": "23:30"}
    assert actions.edit(actor, running, changes=Edit(maintenance=asked)) is None
    running.refresh_from_db()
    assert running.maintenance == {"day": "friday", "start_utc": "23:30:00"}
    assert AuditEvent.objects.get(action="service.edit").changes["maintenance"][1] == running.maintenance
    actions.edit(actor, running, changes=Edit(maintenance={"day": "monday"}))
    assert Resource.objects.get(id=running.id).maintenance == {"day": "monday", "start_utc": "23:30:00"}
    for wrong in ("25:00:00", "02:00:00+01:00", "02:00:00.5", "soon", ""):
        with refused("invalid_arguments", "/maintenance/start_utc"):
            actions.edit(actor, running, changes=Edit(maintenance={"start_utc": wrong}))
    with refused("invalid_arguments", "/maintenance/day"):
        actions.edit(actor, running, changes=Edit(maintenance={"day": "someday"}))


@pytest.mark.django_db
def test_what_is_behind_is_upgraded_once_in_its_window_and_not_before(behind: Resource) -> None:
    pending = pending_update(behind, at(1, 50))
    assert pending is not None
    assert (pending.release, pending.start_at) == ("2.1", at(2))
    assert "Toy 2.0 is upgraded to 2.1" in pending.description
    assert [maintain(at(1, 50)), maintain(at(4))] == [0, 0]
    assert maintain(at(2)) == 1
    behind.refresh_from_db()
    operation = Operation.objects.get(resource=behind, type="upgrade")
    assert (behind.release, operation.requested_by) == ("2.1", None)
    event = Event.objects.get(resource=behind, reason="Maintenance")
    assert event.operation == operation
    assert event.message == "Archipel upgrades this service from 2.0 to 2.1 in its window, Sunday 02:00–04:00 UTC."
    assert AuditEvent.objects.get(action="service.upgrade").actor_kind == "system"
    turn(behind)
    assert pending_update(Resource.objects.get(id=behind.id), at(2, 10)) is None
    Resource.objects.filter(id=behind.id).update(release="2.0")
    assert maintain(at(2, 10)) == 0
    again = pending_update(Resource.objects.get(id=behind.id), at(2, 10))
    assert again is not None
    assert again.start_at == at(2, days=7)
    assert maintain(at(2, days=7)) == 1


@pytest.mark.django_db
def test_what_is_busy_waits_within_its_window_and_what_is_deleted_is_left_alone(behind: Resource, actor: Actor) -> None:
    restart = actions.restart(actor, behind)
    assert maintain(at(2)) == 0
    restart.refresh_from_db()
    assert restart.is_open
    turn(behind)
    assert maintain(at(2, 10)) == 1
    turn(behind)
    actions.delete(actor, behind, policy="bin")
    Resource.objects.filter(id=behind.id).update(release="2.0", maintained_at=None)
    assert maintain(at(2, 20)) == 0
    assert pending_update(Resource.objects.get(id=behind.id), at(2)) is None


@pytest.mark.django_db
def test_the_clock_of_the_workers_asks_often_enough_to_meet_every_window(
    behind: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = app.conf.beat_schedule["maintain-services"]
    assert (entry["task"], entry["schedule"] * 2 < maintenance.LENGTH.total_seconds()) == (tasks.maintain.name, True)
    for now, release in ((at(1, 59), "2.0"), (at(2, 1), "2.1")):
        monkeypatch.setattr("portal.resources.tasks.timezone.now", lambda now=now: now)
        tasks.maintain()
        assert Resource.objects.get(id=behind.id).release == release
