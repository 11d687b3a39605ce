"""Settled services are looked at without a write; one that is not as it was is woken."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from portal.core.drivers import Phase, UnitState
from portal.core.errors import TemporaryError
from portal.resources import queries, tasks
from portal.resources.engine import drift
from portal.resources.models import Operation, Resource
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


def test_a_look_at_settled_services_writes_nothing_and_takes_three_queries(
    order: Callable[..., Operation], running: Resource, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for name in ("two", "three"):
        turn(order(name).resource)
    before = list(Resource.objects.values())
    with django_assert_num_queries(3):
        assert drift.drifted() == []
    assert list(Resource.objects.values()) == before


def test_a_change_whose_wake_was_lost_is_found(running: Resource, kernel: MemoryBackend) -> None:
    kernel.obey = False
    kernel.states[running.handle] = UnitState(Phase.STARTING, 1, ports={"main": 20001})
    tasks.look_for_drift()
    running.refresh_from_db()
    assert running.health == "unavailable"


def test_a_part_that_broke_is_found(running: Resource, kernel: MemoryBackend) -> None:
    kernel.failing_children.add("admin")
    kernel.states[running.handle] = replace(kernel.states[running.handle], runs={})
    kernel.converge(running.handle)
    assert drift.drifted() == [running.handle]


def test_a_silent_cluster_and_a_broken_driver_wake_nobody(
    order: Callable[..., Operation], running: Resource, kernel: MemoryBackend
) -> None:
    turn(order("two").resource)
    for error in (TemporaryError("away"), ZeroDivisionError()):
        kernel.error = error
        assert drift.drifted() == []


def test_each_look_goes_on_where_the_last_one_ended(
    order: Callable[..., Operation], running: Resource, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = turn(order("two").resource)
    kernel.states.clear()
    monkeypatch.setattr(drift, "AT_ONCE", 1)
    assert [drift.drifted() for _ in range(4)] == [[running.handle], [second.handle], [], [running.handle]]


def test_who_waits_leaves_threads_to_the_others(
    order: Callable[..., Operation], kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = order()
    monkeypatch.setattr(queries, "_WAITERS", threading.BoundedSemaphore(1))
    queries._WAITERS.acquire()
    began = time.monotonic()
    assert queries.wait_for_operation(operation.id, 30).is_open
    assert time.monotonic() - began < 25


def test_who_uses_a_service_is_woken_when_its_address_or_health_changes(
    order: Callable[..., Operation],
    running: Resource,
    kernel: MemoryBackend,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    user = turn(order("user", spec={"store": running.public_id}).resource)
    for state, woken in ((kernel.states[running.handle], False), (UnitState(Phase.RUNNING, 1, True), True)):
        kernel.obey = False
        kernel.states[running.handle] = state
        with django_capture_on_commit_callbacks(execute=True):
            turn(running, 1)
        user.refresh_from_db()
        assert (user.next_reconcile_at is not None) == woken
