"""State and health as people read them on the way: a stopped service starts, a copy is restored, a crash is a crash."""

import dataclasses
from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.core.conditions import not_ready
from portal.core.drivers import Observation, Phase, UnitState, View
from portal.resources import actions
from portal.resources.models import Child, Event, Operation, Resource
from tests.resources.conftest import turn
from tests.resources.doubles import BACKUPS, TOY, MemoryBackend, ToyDriver

pytestmark = pytest.mark.django_db


class WordyDriver(ToyDriver):
    """The toy's driver, which tells how far its engine is in more words than "Starting", as those of engines do."""

    def observe(self, view: View, state: UnitState) -> Observation:
        seen = super().observe(view, state)
        if view.running and state.phase is Phase.RUNNING and not state.ready:
            answer = not_ready("NotAnswering", "It runs but does not answer.")
            return dataclasses.replace(seen, conditions=(answer,))
        return seen


@pytest.fixture(autouse=True)
def wordy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOY.drivers, "local", WordyDriver())  # type: ignore[arg-type]


@pytest.fixture
def stopped(running: Resource, actor: Actor) -> Resource:
    actions.stop(actor, running)
    return turn(running)


def told(resource: Resource) -> list[tuple[str, str]]:
    """Return what the timeline says of the service's states since it first ran, and how gravely."""
    rows = Event.objects.filter(resource=resource, reason="StateChanged").order_by("id")
    return list(rows.values_list("message", "severity"))[1:]


def seen(backend: MemoryBackend, resource: Resource, phase: Phase, *, ready: bool = False) -> Resource:
    """Return the service after a look at its engine in that phase, which has taken up what was asked before last."""
    backend.states[resource.handle] = UnitState(phase, resource.generation - 1, ready=ready, ports={"main": 20001})
    return turn(resource, 1)


def words(resource: Resource) -> tuple[str, str]:
    return resource.state, resource.health


def test_a_stop_is_told_as_stopping_and_a_start_as_starting(
    running: Resource, actor: Actor, kernel: MemoryBackend, client_of: Callable[[User], Client], developer: User
) -> None:
    kernel.obey = False
    actions.stop(actor, running)
    stopping = seen(kernel, Resource.objects.get(id=running.id), Phase.RUNNING, ready=True)
    assert words(stopping) == ("stopping", "unknown")
    kernel.converge(running.handle)
    stopped = turn(running)
    assert words(stopped) == ("stopped", "unknown")

    actions.start(actor, stopped)
    asked = Resource.objects.get(id=running.id)
    assert words(asked) == ("starting", "unknown")
    browser = client_of(developer)
    for phase in (Phase.STOPPED, Phase.STARTING, Phase.RUNNING):
        assert words(seen(kernel, asked, phase)) == ("starting", "unknown"), phase
        page = browser.get(f"/services/{running.public_id}").content.decode()
        assert ("Starting" in page, "Updating" in page, "navailable" in page) == (True, False, False), phase
    kernel.converge(running.handle)
    assert words(turn(running)) == ("running", "healthy")
    assert told(running) == [("Stopped", "normal"), ("Running, healthy", "normal")]


def test_a_start_while_it_still_stops_is_a_start(running: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    kernel.obey = False
    actions.stop(actor, running)
    stopping = seen(kernel, Resource.objects.get(id=running.id), Phase.RUNNING, ready=True)
    actions.start(actor, stopping)
    asked = Resource.objects.get(id=running.id)
    assert asked.state == "starting"
    assert words(seen(kernel, asked, Phase.RUNNING)) == ("starting", "unknown")


def test_a_restart_and_a_crash_are_missed(running: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    kernel.obey = False
    actions.restart(actor, running)
    asked = Resource.objects.get(id=running.id)
    assert words(seen(kernel, asked, Phase.STARTING)) == ("starting", "unavailable")
    assert words(seen(kernel, asked, Phase.RUNNING)) == ("starting", "unavailable")
    kernel.converge(running.handle)
    assert words(turn(running)) == ("running", "healthy")
    crashed = seen(kernel, Resource.objects.get(id=running.id), Phase.RUNNING)
    assert words(crashed) == ("running", "unavailable")
    assert told(running)[-1] == ("Running, unavailable: It runs but does not answer.", "warning")


def test_a_start_that_can_not_be_is_a_failure(stopped: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    kernel.obey = False
    actions.start(actor, stopped)
    assert words(seen(kernel, Resource.objects.get(id=stopped.id), Phase.FAILED)) == ("failed", "unavailable")


def test_a_change_of_a_service_that_serves_is_an_update(running: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    kernel.obey = False
    actions.resize(actor, running, plan="standard-4")
    asked = Resource.objects.get(id=running.id)
    assert words(seen(kernel, asked, Phase.RUNNING)) == ("updating", "unavailable")
    assert words(seen(kernel, asked, Phase.RUNNING, ready=True)) == ("updating", "healthy")


@pytest.fixture
def backup(running: Resource, actor: Actor) -> Child:
    made = actions.create_child(actor, running, BACKUPS).child
    turn(running)
    assert made is not None
    made.refresh_from_db()
    return made


def test_a_copy_is_not_healthy_before_it_is_restored(
    running: Resource, actor: Actor, kernel: MemoryBackend, backup: Child
) -> None:
    kernel.obey = False
    operation: Operation = actions.restore(actor, running, backup=backup, target_name="copy")
    copy = Resource.objects.get(id=operation.resource_id)
    assert words(copy) == ("restoring", "unknown")
    assert words(seen(kernel, copy, Phase.RUNNING, ready=True)) == ("restoring", "unknown")
    kernel.converge(copy.handle)
    assert words(turn(copy)) == ("running", "healthy")
    assert "Restoring, healthy" not in list(Event.objects.filter(resource=copy).values_list("message", flat=True))


def test_a_restore_over_the_service_itself_is_missed_until_it_is_through(
    running: Resource, actor: Actor, kernel: MemoryBackend, backup: Child
) -> None:
    kernel.obey = False
    actions.restore(actor, running, backup=backup, in_place=True)
    asked = Resource.objects.get(id=running.id)
    assert words(asked) == ("restoring", "unavailable")
    assert words(seen(kernel, asked, Phase.RUNNING, ready=True)) == ("restoring", "unavailable")
    kernel.converge(running.handle)
    assert words(turn(running)) == ("running", "healthy")
