"""Twenty thousand parts of one service: one document, no row looked at by a turn that changes none."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core.actors import Actor
from portal.core.drivers import Phase
from portal.core.errors import Problem
from portal.resources import actions, engine
from portal.resources.actions.many import Wish
from portal.resources.engine import drift
from portal.resources.models import Child, Operation, Resource
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend
from tests.resources.offerings import DEVICES

pytestmark = pytest.mark.django_db
MANY = 20_000


@pytest.fixture
def fleet(order: Callable[..., Operation]) -> Resource:
    return turn(order(offering="fleet").resource)


def fill(fleet: Resource, actor: Actor, number: int = MANY) -> None:
    for start in range(0, number, 1000):
        wishes = [Wish(f"d{place:05}", {"place": f"hall-{place % 7}"}) for place in range(start, start + 1000)]
        actions.change_many(actor, fleet, DEVICES, put=wishes)


def states(fleet: Resource) -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Child.objects.filter(resource=fleet).values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def test_twenty_thousand_come_into_force_with_one_document(
    fleet: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    fill(fleet, actor)
    assert states(fleet) == {"pending": MANY}
    with CaptureQueriesContext(
        connection,
    ) as asked:
        fleet = turn(fleet)
    assert states(fleet) == {"ready": MANY}
    assert kernel.put == 1
    assert kernel.documents_[fleet.handle]["devices"][1].count("\n") == MANY
    assert not Operation.objects.open().filter(resource=fleet).exists()
    assert len(asked) < 200
    assert fleet.next_reconcile_at is None


def test_a_turn_that_changes_none_looks_at_none(
    fleet: Resource, actor: Actor, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(fleet, actor, 2000)
    fleet = turn(fleet)
    actions.edit(actor, fleet, changes=actions.Edit(spec={"greeting": "moin"}))
    loaded: list[str] = []
    from_db = Child.from_db.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(Child, "from_db", classmethod(lambda cls, *row: loaded.append("one") or from_db(cls, *row)))
    fleet = turn(fleet)
    assert kernel.wanted[fleet.handle].rendered.argv == ("fleet", "moin")
    assert (fleet.state, kernel.put, loaded) == ("running", 1, [])
    assert not drift.drifted()
    assert loaded == []
    actions.create_child(actor, fleet, DEVICES, name="late", spec={})
    turn(fleet)
    assert len(loaded) > 2000  # so the search above would have seen them


def test_one_of_them_is_added_changed_and_taken_away(fleet: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    fill(fleet, actor, 1000)
    turn(fleet)
    made = actions.create_child(actor, fleet, DEVICES, name="late", spec={"place": "yard"})
    turn(fleet)
    assert Operation.objects.get(id=made.id).state == "succeeded"
    child = Child.objects.get(resource=fleet, name="late")
    changed = actions.edit_child(actor, child, spec={"place": "roof"})
    turn(fleet)
    assert changed is not None
    assert Operation.objects.get(id=changed.id).state == "succeeded"
    assert ",late,roof,1\n" in kernel.documents_[fleet.handle]["devices"][1]
    gone = actions.delete_child(actor, Child.objects.get(id=child.id))
    turn(fleet)
    assert Operation.objects.get(id=gone.id).state == "succeeded"
    assert not Child.objects.filter(id=child.id).exists()
    assert "late" not in kernel.documents_[fleet.handle]["devices"][1]
    assert states(fleet) == {"ready": 1000}


def test_what_the_backend_refuses_says_why_and_comes_back_when_mended(fleet: Resource, actor: Actor) -> None:
    lost = actions.change_many(
        actor, fleet, DEVICES, put=[Wish("here", {"place": "yard"}), Wish("lost", {"place": "nowhere"})]
    )
    turn(fleet)
    lost.refresh_from_db()
    assert (lost.state, lost.message) == ("failed", "1 of them were refused; each says why.")
    child = Child.objects.get(resource=fleet, name="lost")
    assert (child.state, child.conditions[0]["message"]) == ("failed", "It is nowhere.")
    assert Child.objects.get(resource=fleet, name="here").state == "ready"
    mended = actions.change_many(actor, fleet, DEVICES, put=[Wish("lost", {"place": "found"})])
    turn(fleet)
    mended.refresh_from_db()
    assert mended.state == "succeeded"
    assert states(fleet) == {"ready": 2}


def test_all_are_taken_or_none_and_each_wrong_one_is_named(fleet: Resource, actor: Actor) -> None:
    wishes = [Wish("good", {}), Wish("Bad Name", {}), Wish("odd", {"colour": "red"}), Wish("good", {})]
    with pytest.raises(Problem) as refused:
        actions.change_many(actor, fleet, DEVICES, put=wishes, delete=["nobody"])
    pointers = [error.pointer for error in refused.value.errors]
    assert pointers == ["/put/1/name", "/put/2/spec/colour", "/put/0/name", "/put/3/name", "/delete/0"]
    assert not Child.objects.filter(resource=fleet).exists()
    actions.change_many(actor, fleet, DEVICES, put=[Wish("good", {})])
    with pytest.raises(Problem) as refused:
        actions.change_many(actor, fleet, DEVICES, put=[Wish("good", {"place": "yard"})], delete=["good"])
    assert [error.pointer for error in refused.value.errors] == ["/put/0/name"]
    with pytest.raises(Problem, match="At most 1000"):
        actions.change_many(actor, fleet, DEVICES, put=[Wish(f"d{place}", {}) for place in range(1001)])


def test_the_limit_counts_what_is_added_less_what_goes(
    fleet: Resource, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(DEVICES, "limit", 3)
    try:
        actions.change_many(actor, fleet, DEVICES, put=[Wish(name, {}) for name in ("a", "b", "c")])
        with pytest.raises(Problem) as refused:
            actions.change_many(actor, fleet, DEVICES, put=[Wish("d", {})])
        assert refused.value.code == "quota_exceeded"
        actions.change_many(actor, fleet, DEVICES, put=[Wish("d", {})], delete=["a"])
    finally:
        object.__setattr__(DEVICES, "limit", 25_000)


def test_a_document_that_got_lost_is_put_again(fleet: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    fill(fleet, actor, 1000)
    fleet = turn(fleet)
    kernel.documents_.clear()
    kernel.states[fleet.handle] = kernel.states[fleet.handle].__class__(Phase.RUNNING, fleet.generation, True)
    assert drift.differs(fleet)
    turn(fleet)
    assert kernel.documents_[fleet.handle]["devices"][1].count("\n") == 1000


def test_what_is_asked_while_a_turn_runs_comes_with_the_next(
    fleet: Resource, actor: Actor, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(fleet, actor, 1000)
    put = kernel.put_document

    def meanwhile(handle: str, kind: str, revision: int, pieces: object) -> None:
        put(handle, kind, revision, pieces)  # type: ignore[arg-type]
        monkeypatch.setattr(kernel, "put_document", put)
        actions.create_child(actor, fleet, DEVICES, name="late", spec={})

    monkeypatch.setattr(kernel, "put_document", meanwhile)
    engine.reconcile(fleet.id)
    assert Child.objects.get(resource=fleet, name="late").state == "pending"
    turn(fleet)
    assert states(fleet) == {"ready": 1001}
    assert kernel.put == 2


def test_only_kinds_of_many_take_many(running: Resource, actor: Actor) -> None:
    kind = running.offering.child("users")
    assert kind is not None
    with pytest.raises(Problem) as refused:
        actions.change_many(actor, running, kind, put=[Wish("somebody", {})])
    assert refused.value.code == "not_found"
