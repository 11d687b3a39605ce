"""The engine: claim, one conditional write, back-off, and what survives when it is cut off."""

import datetime
from collections.abc import Callable

import pytest
from django.db import transaction
from django.utils import timezone

from portal.clusters.models import Cluster
from portal.core.actors import Actor
from portal.core.drivers import Phase, UnitState
from portal.core.errors import PermanentError, TemporaryError, UnreachableError
from portal.resources import actions, engine
from portal.resources.engine import claim
from portal.resources.models import Event, Operation, Resource
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


def test_an_order_becomes_a_running_service(order: Callable[..., Operation], kernel: MemoryBackend) -> None:
    operation = order()
    assert operation.state == "queued"
    assert operation.resource.state == "provisioning"
    resource = turn(operation.resource)
    operation.refresh_from_db()
    assert (resource.state, resource.health, operation.state) == ("running", "healthy", "succeeded")
    assert resource.observed_generation == resource.generation
    assert resource.facts["endpoints"][0]["port"] == 20001
    assert operation.steps[0]["name"] == "accepted"


def test_one_that_answers_before_all_of_its_order_is_there_is_still_being_made(
    order: Callable[..., Operation], kernel: MemoryBackend
) -> None:
    kernel.obey = False
    resource = order().resource
    kernel.states[resource.handle] = UnitState(Phase.RUNNING, 0, ready=True, ports={"main": 20001})
    resource = turn(resource)
    told = Event.objects.filter(resource=resource, reason="StateChanged").order_by("id")
    told = told.values_list("message", flat=True)
    assert (resource.state, resource.health, list(told)) == ("provisioning", "healthy", [])
    kernel.converge(resource.handle)
    assert (turn(resource).state, list(told.all())) == ("running", ["Running, healthy"])
    Resource.objects.filter(id=resource.id).update(generation=2)  # from now on it is a change, and told as one
    kernel.states[resource.handle] = UnitState(Phase.RUNNING, 1, ready=True, ports={"main": 20001})
    assert turn(resource).state == "updating"
    assert list(told.all()) == ["Running, healthy", "Updating, healthy"]


def test_a_settled_service_is_not_due_and_a_turn_changes_nothing(running: Resource, kernel: MemoryBackend) -> None:
    assert running.next_reconcile_at is None
    before = Resource.objects.filter(id=running.id).values().get()
    events = Event.objects.count()
    engine.reconcile(running.id)
    after = Resource.objects.filter(id=running.id).values().get()
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {"updated_at", "fence"}
    assert Event.objects.count() == events


def test_a_second_worker_leaves_a_claimed_service_alone(running: Resource, kernel: MemoryBackend) -> None:
    assert claim.take(running.id) is not None
    applied = kernel.applied
    assert engine.reconcile(running.id) is False
    assert kernel.applied == applied


def test_a_lost_lease_writes_nothing(running: Resource) -> None:
    slow = claim.take(running.id)
    assert slow is not None
    Resource.objects.filter(id=running.id).update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
    fast = claim.take(running.id)
    assert fast is not None
    assert fast.resource.fence > slow.resource.fence
    with transaction.atomic():
        assert claim.hold(slow) is None
        row = claim.hold(fast)
        assert row is not None
        claim.write(slow, row, {"failures": 7}, due=None)
        assert claim.write(fast, row, {"failures": 1}, due=None) is False
    running.refresh_from_db()
    assert running.failures == 1
    assert running.next_reconcile_at is None


def ended(held: claim.Claim) -> bool:
    """End a turn that has found nothing to do."""
    with transaction.atomic():
        row = claim.hold(held)
        assert row is not None
        return claim.write(held, row, {}, due=None)


def test_a_wake_during_a_turn_is_not_lost(running: Resource) -> None:
    held = claim.take(running.id)
    assert held is not None
    claim.wake(handle=running.handle)
    assert ended(held)
    running.refresh_from_db()
    assert running.next_reconcile_at is not None
    assert running.next_reconcile_at <= timezone.now()


def test_a_new_generation_during_a_turn_keeps_the_service_due(running: Resource, actor: Actor) -> None:
    held = claim.take(running.id)
    assert held is not None
    actions.edit(actor, running, changes=actions.Edit(spec={"greeting": "moin"}))
    assert ended(held)
    running.refresh_from_db()
    assert running.next_reconcile_at is not None
    assert turn(running).observed_generation == 2


def test_a_temporary_error_backs_off_and_heals(order: Callable[..., Operation], kernel: MemoryBackend) -> None:
    kernel.error = TemporaryError("The region does not answer; we try again.")
    operation, began = order(), timezone.now()
    resource = turn(operation.resource, 3)
    assert resource.failures == 3
    assert resource.next_reconcile_at is not None
    assert resource.next_reconcile_at > began + datetime.timedelta(seconds=2)
    operation.refresh_from_db()
    assert (operation.state, operation.message) == ("running", "The region does not answer; we try again.")
    kernel.error = None
    assert turn(resource).state == "running"
    assert Resource.objects.get(id=resource.id).failures == 0


def test_a_permanent_error_waits_for_a_new_generation(
    order: Callable[..., Operation], kernel: MemoryBackend, actor: Actor
) -> None:
    kernel.error = PermanentError("The cluster refuses this plan.")
    operation = order()
    resource = turn(operation.resource, 1)
    operation.refresh_from_db()
    assert (resource.state, resource.next_reconcile_at, operation.state) == ("failed", None, "failed")
    assert operation.error is not None
    assert operation.error["detail"] == "The cluster refuses this plan."
    kernel.error = None
    actions.edit(actor, resource, changes=actions.Edit(spec={"greeting": "again"}))
    assert turn(resource).state == "running"


def test_a_bug_becomes_a_condition_and_not_a_crash(order: Callable[..., Operation], kernel: MemoryBackend) -> None:
    kernel.error = ZeroDivisionError("canary-detail")
    resource = turn(order().resource, 1)
    synced = next(c for c in resource.conditions if c["type"] == "Synced")
    assert synced["reason"] == "InternalError"
    assert "canary-detail" not in str(resource.conditions)


def test_an_engine_that_dies_shows_and_comes_back(running: Resource, kernel: MemoryBackend) -> None:
    kernel.obey = False
    kernel.states[running.handle] = UnitState(Phase.STARTING, running.generation, ports={"main": 20001})
    resource = turn(running, 1)
    assert resource.health == "unavailable"
    kernel.converge(running.handle)
    assert turn(resource, 1).health == "healthy"


def test_an_operation_that_takes_too_long_times_out_and_the_engine_goes_on(
    order: Callable[..., Operation], kernel: MemoryBackend
) -> None:
    kernel.obey = False
    operation = order()
    Operation.objects.filter(id=operation.id).update(deadline_at=timezone.now())
    turn(operation.resource, 1)
    operation.refresh_from_db()
    assert operation.state == "timed_out"
    assert operation.error is not None
    assert operation.error["code"] == "operation_timed_out"
    kernel.obey = True
    assert turn(operation.resource).state == "running"


def test_what_waits_for_a_silent_cluster_goes_on_as_soon_as_that_is_back(
    order: Callable[..., Operation], kernel: MemoryBackend, cluster: Cluster
) -> None:
    kernel.error = UnreachableError("This region does not answer at the moment; we try again.")
    silent = turn(order().resource, 6)
    kernel.error = TemporaryError("There is no room.")
    full = turn(order("other").resource, 6)
    assert [next(c["reason"] for c in one.conditions if c["type"] == "Synced") for one in (silent, full)] == [
        "Unreachable",
        "Retrying",
    ]
    Cluster.objects.update(silent_since=timezone.now())
    claim.wake_from_silence(timezone.now())
    assert not Resource.objects.due(timezone.now()).exists()
    Cluster.objects.update(silent_since=None)
    claim.wake_from_silence(timezone.now())
    assert list(Resource.objects.due(timezone.now())) == [silent]
