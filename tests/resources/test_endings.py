"""Every operation ends, every deletion gets through, and what engines say can always be written."""

import datetime
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.core import registry
from portal.core.actors import Actor
from portal.core.drivers import Observation, Phase, UnitState, View
from portal.core.errors import PermanentError, Problem, TemporaryError
from portal.projects.models import Project
from portal.resources import actions, engine
from portal.resources.models import Child, Operation, Resource
from tests.fixtures import limit
from tests.resources.conftest import turn
from tests.resources.doubles import BACKUPS, USERS, MemoryBackend, ToyDriver

pytestmark = pytest.mark.django_db


def state_of(operation: Operation) -> str:
    return Operation.objects.get(id=operation.id).state


def at_its_due_time(resource: Resource) -> Resource:
    """Let the time come that the service is due at, and take the turn that the sweep would."""
    due = Resource.objects.values_list("next_reconcile_at", flat=True).get(id=resource.id)
    assert due is not None, "nobody will ever look again"
    passed = due - timezone.now()
    for row in Operation.objects.filter(resource=resource).open():
        Operation.objects.filter(id=row.id).update(deadline_at=row.deadline_at - passed)
    engine.reconcile(resource.id)
    return Resource.objects.get(id=resource.id)


def test_an_operation_on_a_part_ends_though_the_backend_refuses_for_good(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    operation = actions.create_child(actor, running, USERS, name="alice")
    kernel.error = PermanentError("No.")
    turn(running, 1)
    assert state_of(operation) == "running"
    at_its_due_time(running)
    assert state_of(operation) == "timed_out"


def test_a_settled_service_whose_driver_never_speaks_of_a_part_ends_its_operation(
    running: Resource, actor: Actor
) -> None:
    operation = actions.create_child(actor, running, USERS, name="alice")
    Child.objects.filter(name="alice").update(kind="lost", state="ready")
    turn(running, 1)
    at_its_due_time(running)
    assert state_of(operation) == "timed_out"


def test_a_restore_whose_failure_was_seen_by_a_turn_that_got_lost_is_still_told_as_failed(
    running: Resource, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = actions.create_child(actor, running, BACKUPS).child
    turn(running)
    observe = ToyDriver.observe

    def serves_the_old_data(driver: ToyDriver, view: View, state: UnitState) -> Observation:
        seen = observe(driver, view, state)
        return replace(seen, facts={"restore_failed": view.origin.key}) if view.origin else seen

    restored = actions.restore(actor, running, backup=Child.objects.get(id=backup.id), in_place=True)
    turn(running)
    assert state_of(restored) == "succeeded"
    monkeypatch.setattr(ToyDriver, "observe", serves_the_old_data)
    failed = actions.restore(actor, running, backup=Child.objects.get(id=backup.id), in_place=True)
    turn(running)
    ended = Operation.objects.get(id=failed.id)
    assert ended.state == "failed"
    assert "could not be restored" in ended.message


def test_what_runs_on_the_parts_of_a_withdrawn_order_ends_with_it(
    order: Callable[..., Operation], actor: Actor, kernel: MemoryBackend
) -> None:
    kernel.obey = False
    operation = order()
    part = actions.create_child(actor, operation.resource, USERS, name="alice")
    actions.cancel_operation(actor, operation)
    assert turn(operation.resource, 2).state == "purged"
    assert (state_of(operation), state_of(part)) == ("cancelled", "cancelled")


def test_an_order_that_others_link_to_is_not_withdrawn(
    order: Callable[..., Operation], actor: Actor, kernel: MemoryBackend
) -> None:
    operation = order("store")
    order("user", spec={"store": operation.resource.public_id})
    with pytest.raises(Problem, match="used by: user"):
        actions.cancel_operation(actor, operation)


def test_a_service_cannot_link_to_itself(running: Resource, actor: Actor) -> None:
    with pytest.raises(Problem) as refused:
        actions.edit(actor, running, changes=actions.Edit(spec={"store": running.public_id}))
    assert [error.pointer for error in refused.value.errors] == ["/spec/store"]


def test_a_wipe_from_the_bin_is_done_when_nothing_is_left(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    actions.delete(actor, running)
    resource = turn(running, 5)
    kernel.obey = False
    wipe = actions.delete(actor, resource, policy="wipe")
    assert turn(resource, 1).state == "deleting"
    assert state_of(wipe) == "running"
    kernel.obey = True
    assert turn(resource, 1).state == "purged"
    assert state_of(wipe) == "succeeded"


def test_a_bin_that_is_slow_to_empty_is_looked_at_with_pauses(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    actions.delete(actor, running)
    turn(running, 5)
    Resource.objects.filter(id=running.id).update(purge_after=timezone.now())
    kernel.obey = False
    began = timezone.now()
    assert engine.reconcile(running.id) is False
    resource = Resource.objects.get(id=running.id)
    assert resource.next_reconcile_at is not None
    assert resource.next_reconcile_at > began + datetime.timedelta(seconds=1)
    kernel.error = PermanentError("The host refuses.")
    engine.reconcile(running.id)
    resource.refresh_from_db()
    assert resource.next_reconcile_at > timezone.now() + datetime.timedelta(minutes=1)


def test_a_tombstone_is_not_deleted_again(
    running: Resource, actor: Actor, operator: User, actor_of: Callable[..., Actor]
) -> None:
    actions.delete(actor, running, policy="wipe")
    turn(running)
    with pytest.raises(Problem, match="deleted already"):
        actions.force_delete(actor_of(operator), running, reason="again")
    assert not Operation.objects.open().exists()


def test_a_service_whose_offering_left_the_code_can_still_be_taken_away(
    running: Resource,
    actor: Actor,
    operator: User,
    actor_of: Callable[..., Actor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "offerings", dict)
    assert turn(running, 1).conditions[-1]["reason"] == "InternalError"
    actions.delete(actor, running)
    operation = actions.force_delete(actor_of(operator), running, reason="no longer sold")
    assert turn(running).state == "purged"
    assert state_of(operation) == "succeeded"


def test_bringing_back_counts_for_the_limit_and_checks_the_name(
    order: Callable[..., Operation], running: Resource, actor: Actor, project: Project
) -> None:
    actions.delete(actor, running)
    resource = turn(running, 5)
    with pytest.raises(Problem, match="lower-case letters"):
        actions.undelete(actor, resource, name="Bad name\n")
    order("other")
    limit(project, 1)
    with pytest.raises(Problem) as refused:
        actions.undelete(actor, resource)
    assert refused.value.code == "quota_exceeded"


@pytest.mark.parametrize("message", ["x" * 2000, "a\x00b", "\ud800", "two\nlines", "Grüße, 世界 🎉"])
def test_whatever_an_engine_says_can_be_written(
    order: Callable[..., Operation], kernel: MemoryBackend, message: str
) -> None:
    kernel.obey = False
    operation = order()
    kernel.states[operation.resource.handle] = UnitState(Phase.STARTING, message=message)
    turn(operation.resource, 1)
    operation.refresh_from_db()
    assert 0 < len(operation.message) <= 500
    assert not {"\n", "\x00"} & set(operation.message)


def test_what_cannot_be_written_backs_off_and_says_so(
    running: Resource, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.states[running.handle] = UnitState(Phase.RUNNING, 1, ready=True, ports={"main": "\x00"})  # type: ignore[dict-item]
    kernel.obey = False
    resource = turn(running, 1)
    assert (resource.failures, resource.lease_token) == (1, None)
    assert resource.conditions[-1]["reason"] == "InternalError"
    kernel.converge(running.handle)
    assert turn(running, 1).failures == 0


def test_a_part_that_waits_for_a_stopped_service_is_not_asked_after_all_the_time(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    actions.create_child(actor, running, USERS, name="alice")
    Operation.objects.update(state="timed_out")
    actions.stop(actor, running)
    kernel.failing_children.add("alice")
    Child.objects.filter(name="alice").update(kind="lost")
    resource = turn(running, 2)
    assert resource.state == "stopped"
    assert resource.next_reconcile_at is not None
    assert resource.next_reconcile_at > timezone.now() + datetime.timedelta(seconds=30)


def test_a_restore_in_place_does_not_repeat_what_has_run(running: Resource, actor: Actor) -> None:
    backup = actions.create_child(actor, running, BACKUPS).child
    assert backup is not None
    turn(running)
    backup.refresh_from_db()
    other = Child.objects.create(resource=running, kind="backups", name="other", state="succeeded")
    Child.objects.filter(id=other.id).update(kind="jobs")
    actions.restore(actor, running, backup=backup, in_place=True)
    other.refresh_from_db()
    assert (other.state, other.generation) == ("succeeded", 1)


def test_a_restored_service_exchanges_its_own_logins(running: Resource, actor: Actor) -> None:
    admin = Child.objects.get(resource=running, name="admin")
    actions.rotate_credential(actor, admin)
    backup = actions.create_child(actor, running, BACKUPS).child
    assert backup is not None
    turn(running)
    backup.refresh_from_db()
    copy = actions.restore(actor, running, backup=backup, target_name="copy").resource
    turn(copy)
    logins = {login.name: login for login in Child.objects.filter(resource=copy, kind="users")}
    assert logins["admin-2"].spec["predecessor"] == str(logins["admin"].id)
    assert actions.complete_rotation(actor, logins["admin"]).child_name == "admin"


def test_nothing_is_restored_from_a_service_that_is_wiped(running: Resource, actor: Actor) -> None:
    backup = actions.create_child(actor, running, BACKUPS).child
    assert backup is not None
    turn(running)
    backup.refresh_from_db()
    actions.delete(actor, running, policy="wipe")
    running.refresh_from_db()
    with pytest.raises(Problem, match="deleted for good"):
        actions.restore(actor, running, backup=backup, target_name="copy")


def test_a_login_that_goes_or_whose_service_is_stopped_is_not_exchanged(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    alice = actions.create_child(actor, running, USERS, name="alice").child
    assert alice is not None
    turn(running)
    actions.stop(actor, running)
    with pytest.raises(Problem, match="is stopped"):
        actions.rotate_credential(actor, alice)
    turn(running)
    actions.start(actor, running)
    turn(running)
    kernel.obey = False
    actions.delete_child(actor, alice)
    with pytest.raises(Problem, match="is being deleted"):
        actions.rotate_credential(actor, alice)


def test_a_login_whose_secret_is_not_made_yet_says_so(running: Resource, actor: Actor) -> None:
    alice = actions.create_child(actor, running, USERS, name="alice").child
    assert alice is not None
    with pytest.raises(TemporaryError, match="not ready yet"):
        actions.reveal(actor, alice)
    turn(running)
    assert str(actions.reveal(actor, alice)["password"]).startswith("canary-")


def test_taking_one_backup_away_does_not_end_another_that_runs(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    old = actions.create_child(actor, running, BACKUPS).child
    assert old is not None
    turn(running)
    kernel.obey = False
    making = actions.create_child(actor, running, BACKUPS)
    removal = actions.delete_child(actor, old)
    assert (state_of(making), state_of(removal)) == ("queued", "queued")
    assert making.child is not None
    actions.delete_child(actor, making.child)
    assert (state_of(making), state_of(removal)) == ("cancelled", "queued")
