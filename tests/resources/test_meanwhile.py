"""What people ask for while a turn is under way: neither side undoes the other, and nobody waits for ever."""

import contextlib
import datetime
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from portal.core.actors import Actor
from portal.core.drivers import Phase, UnitState
from portal.core.errors import PermanentError, Problem
from portal.projects.models import Project
from portal.resources import actions, admission, engine
from portal.resources.actions import operations
from portal.resources.engine import bookkeeping, claim
from portal.resources.models import Child, Link, Operation, Resource
from tests.fixtures import limit
from tests.resources.conftest import turn
from tests.resources.doubles import BACKUPS, USERS, MemoryBackend

Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def meanwhile(kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """``meanwhile(act)``: call ``act`` once, in the middle of the next turn."""

    def arrange(act: Callable[[], object]) -> None:
        read, waiting = kernel.read, [act]

        def interrupted(handle: str) -> UnitState:
            while waiting:
                waiting.pop()()
            return read(handle)

        monkeypatch.setattr(kernel, "read", interrupted)

    return arrange


def one_turn(resource: Resource) -> Resource:
    engine.reconcile(resource.id)
    return Resource.objects.get(id=resource.id)


@pytest.mark.django_db
def test_a_part_made_during_a_turn_is_not_taken_for_a_deleted_one(
    running: Resource, actor: Actor, meanwhile: Meanwhile
) -> None:
    asked: list[Operation] = []
    meanwhile(lambda: asked.append(actions.create_child(actor, running, USERS, name="alice")))
    one_turn(running)
    asked[0].refresh_from_db()
    assert asked[0].is_open
    turn(running)
    asked[0].refresh_from_db()
    assert asked[0].state == "succeeded"


@pytest.mark.django_db
def test_a_part_changed_during_a_turn_keeps_its_new_wish(running: Resource, actor: Actor, meanwhile: Meanwhile) -> None:
    alice = actions.create_child(actor, running, USERS, name="alice").child
    assert alice is not None
    asked: list[Operation | None] = []

    def edit() -> None:
        Operation.objects.filter(child=alice).update(state="succeeded")
        asked.append(actions.edit_child(actor, alice, spec={"access": "write"}))

    meanwhile(edit)
    one_turn(running)
    alice.refresh_from_db()
    assert (alice.state, alice.generation, alice.observed_generation) == ("pending", 2, 0)
    turn(running)
    alice.refresh_from_db()
    assert (alice.state, alice.observed_generation, alice.spec["access"]) == ("ready", 2, "write")


@pytest.mark.django_db
def test_a_retry_during_a_turn_is_not_ended_by_the_failure_before(
    running: Resource, actor: Actor, kernel: MemoryBackend, meanwhile: Meanwhile
) -> None:
    backup = actions.create_child(actor, running, BACKUPS).child
    assert backup is not None
    kernel.failing_children.add(backup.name)
    turn(running)
    asked: list[Operation] = []
    meanwhile(lambda: asked.append(actions.retry_child(actor, backup)))
    kernel.failing_children.clear()
    one_turn(running)
    asked[0].refresh_from_db()
    assert asked[0].is_open
    turn(running)
    asked[0].refresh_from_db()
    assert asked[0].state == "succeeded"


@pytest.mark.django_db
def test_a_repair_asked_for_during_a_refused_turn_is_not_refused_with_it(
    running: Resource, actor: Actor, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Operation | None] = []

    def refuse(wanted: object) -> None:
        asked.append(actions.edit(actor, running, changes=actions.Edit(spec={"greeting": "moin"})))
        raise PermanentError("The old wish can't be served.")

    with monkeypatch.context() as patch:
        patch.setattr(kernel, "apply", refuse)
        one_turn(running)
    repair = asked[0]
    assert repair is not None
    repair.refresh_from_db()
    assert repair.is_open
    turn(running)
    repair.refresh_from_db()
    assert repair.state == "succeeded"


@pytest.mark.django_db
def test_a_repair_is_not_judged_by_the_failure_that_it_mends(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    kernel.obey = False
    kernel.states[running.handle] = UnitState(Phase.FAILED, 1, message="It can't start.")
    assert turn(running, 1).health == "unavailable"
    repair = actions.resize(actor, running, plan="standard-4")
    turn(running, 1)
    repair.refresh_from_db()
    assert repair.state == "running"
    turn(running, 1)
    repair.refresh_from_db()
    assert (repair.state, repair.message) == ("failed", "It can't start.")


@pytest.mark.django_db
def test_a_service_brought_back_during_a_turn_stays_back(running: Resource, actor: Actor, meanwhile: Meanwhile) -> None:
    actions.delete(actor, running)
    binned = turn(running, 5)
    meanwhile(lambda: actions.undelete(actor, binned))
    resource = one_turn(binned)
    assert (resource.deleted_at, resource.purge_after, resource.state) == (None, None, "starting")
    assert turn(resource).state == "running"


@pytest.mark.django_db
def test_a_wish_during_a_turn_shows_at_once(running: Resource, actor: Actor, meanwhile: Meanwhile) -> None:
    meanwhile(lambda: actions.stop(actor, running))
    assert one_turn(running).state == "stopping"


@pytest.mark.django_db
def test_a_message_that_comes_twice_takes_one_turn(running: Resource, kernel: MemoryBackend) -> None:
    claim.wake(handle=running.handle)
    applied = kernel.applied
    for _ in range(3):
        engine.reconcile(running.id, only_due=True)
    assert kernel.applied == applied + 1


# ---- with connections of their own -----------------------------------------------------------------------------------


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make all calls, each in a thread; return what each returned or raised."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(number: int) -> None:
        start.wait(60)
        try:
            results[number] = calls[number]()
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def codes(results: list[Any]) -> list[str]:
    return sorted(result.code if isinstance(result, Problem) else type(result).__name__ for result in results)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_backs_up_once(running: Resource, actor: Actor) -> None:
    results = at_once(*[lambda: actions.create_child(actor, running, BACKUPS)] * 3)
    assert codes(results) == ["Operation", "operation_in_progress", "operation_in_progress"]
    assert Child.objects.filter(resource=running, kind="backups").count() == 1


@pytest.mark.django_db(transaction=True)
def test_orders_at_once_do_not_pass_the_limit(order: Callable[..., Operation], project: Project) -> None:
    limit(project, 2)
    results = at_once(*[lambda name=f"box-{n}": order(name) for n in range(4)])
    assert codes(results) == ["Operation", "Operation", "quota_exceeded", "quota_exceeded"]


@pytest.mark.django_db(transaction=True)
def test_engine_and_action_do_not_lock_each_other_out(
    running: Resource, actor: Actor, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = actions.create_child(actor, running, USERS, name="alice").child
    assert alice is not None
    held, written = threading.Event(), threading.Event()
    write = bookkeeping.children

    def noticed(*args: Any) -> Any:
        gone = write(*args)
        written.set()
        return gone

    def act() -> str:
        with transaction.atomic():
            operations.locked(running)
            held.set()
            written.wait(0.3)
            return Child.objects.select_for_update().get(id=alice.id).name

    monkeypatch.setattr(bookkeeping, "children", noticed)
    meanwhile(lambda: held.wait(10))
    assert at_once(act, lambda: engine.reconcile(running.id)) == ["alice", False]


@pytest.mark.django_db(transaction=True)
def test_a_service_that_is_being_deleted_cannot_be_linked(
    order: Callable[..., Operation], running: Resource, actor: Actor
) -> None:
    deleted, ordered = threading.Event(), threading.Event()

    def delete() -> None:
        with transaction.atomic():
            actions.delete(actor, running)
            deleted.set()
            ordered.wait(0.3)

    def link() -> Operation:
        deleted.wait(10)
        operation = order("user", spec={"store": running.public_id})
        ordered.set()
        return operation

    assert codes(at_once(delete, link)) == ["NoneType", "invalid_arguments"]
    assert not Link.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_order_that_links_and_a_change_of_its_target_do_not_lock_each_other_out(
    order: Callable[..., Operation], running: Resource, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit, first = admission.admit, threading.Barrier(2)

    def slowly(request: admission.Request) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            first.wait(0.3)  # both have what they lock before, as far as they can
        admit(request)

    monkeypatch.setattr(admission, "admit", slowly)
    results = at_once(
        lambda: order("user", spec={"store": running.public_id}),
        lambda: actions.resize(actor, running, plan="standard-4"),
    )
    assert codes(results) == ["Operation", "Operation"]


@pytest.mark.django_db
def test_nothing_comes_back_once_its_days_are_over(running: Resource, actor: Actor) -> None:
    actions.delete(actor, running)
    turn(running, 5)
    Resource.objects.filter(id=running.id).update(purge_after=timezone.now() - datetime.timedelta(seconds=1))
    with pytest.raises(Problem, match="not in the bin"):
        actions.undelete(actor, running)
