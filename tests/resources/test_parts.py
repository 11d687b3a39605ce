"""What a service brings along: made, priced, counted, changed, stopped and taken away with it. Jobs, links, keys."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.core import conditions
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.offerings import Offering
from portal.projects.models import Project
from portal.resources import actions
from portal.resources.engine import turn as engine_turn
from portal.resources.models import Change, Link, Operation, Resource
from portal.resources.parts import price_with_parts
from tests.fixtures import limit
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend
from tests.resources.offerings import JOBS, WORKSHOP

pytestmark = pytest.mark.django_db


def all_turn(times: int = 4) -> None:
    """Let everything that is due have its turns."""
    for _ in range(times):
        for row in Resource.objects.filter(purged_at=None).exclude(next_reconcile_at=None).order_by("id"):
            turn(row)


@pytest.fixture
def workshop(order: Callable[..., Operation]) -> Resource:
    """A workshop that runs, with its cache."""
    made = order(name="shop", offering="workshop", plan="dev-2").resource
    all_turn()
    return Resource.objects.get(id=made.id)


def cache_of(workshop: Resource) -> Resource:
    return Resource.objects.get(owner=workshop, role="cache", purged_at=None)


def test_a_part_comes_along_and_the_service_waits_for_it(
    order: Callable[..., Operation], kernel: MemoryBackend
) -> None:
    made = order(name="shop", offering="workshop", plan="dev-2").resource
    part = cache_of(made)
    assert (part.name, part.offering_slug, part.plan_slug) == ("shop-cache", "toy", "dev-2")
    waiting = conditions.find(turn(made).conditions, "Ready")
    assert waiting is not None
    assert waiting.message == "It waits for cache."
    turn(part)
    made = turn(made)
    assert (made.state, made.health) == ("running", "healthy")
    assert kernel.wanted[made.handle].rendered.env == {"CACHE_HOST": part.handle}
    assert part not in Resource.objects.listed()
    audited = AuditEvent.objects.filter(target_id=part.id).values_list("action", flat=True)
    assert list(audited) == ["service.create_part"]


def test_it_counts_for_the_limit_and_the_price(order: Callable[..., Operation], project: Project, actor: Actor) -> None:
    limit(project, 1)
    with pytest.raises(Problem) as refused:
        order(name="shop", offering="workshop")
    assert (refused.value.code, refused.value.extra["requested"]) == ("quota_exceeded", 2)
    assert not Resource.objects.exists()
    made = order(name="shop", offering="workshop", spec={"with_cache": False}).resource
    with pytest.raises(Problem) as refused:
        actions.edit(actor, made, changes=actions.Edit(spec={"with_cache": True}))
    assert refused.value.extra["requested"] == 1
    plan = WORKSHOP.plan("dev-2")
    assert plan is not None
    alone = price_with_parts(WORKSHOP, plan, WORKSHOP.spec(with_cache=False), region="local")
    both = price_with_parts(WORKSHOP, plan, WORKSHOP.spec(), region="local")
    assert both.hourly > alone.hourly > Decimal(0)
    assert any(str(line.name).startswith("cache: ") for line in both.lines)


def test_it_changes_with_its_owner(workshop: Resource, actor: Actor) -> None:
    actions.resize(actor, workshop, plan="standard-4")
    all_turn()
    assert cache_of(workshop).plan_slug == "standard-4"
    actions.edit(actor, Resource.objects.get(id=workshop.id), changes=actions.Edit(spec={"with_cache": False}))
    all_turn()
    gone = cache_of(workshop)
    assert gone.state == "deleted"
    assert not Link.objects.filter(source=workshop, role="cache").exists()
    actions.edit(actor, Resource.objects.get(id=workshop.id), changes=actions.Edit(spec={"with_cache": True}))
    all_turn()
    assert cache_of(workshop) == gone
    assert cache_of(workshop).state == "running"


def test_it_serves_until_its_owner_does_without_it(workshop: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    kernel.obey = False
    actions.edit(actor, workshop, changes=actions.Edit(spec={"with_cache": False}))
    turn(workshop, times=1)
    assert cache_of(workshop).deletion_requested_at is None
    kernel.obey = True
    turn(workshop)
    part = cache_of(workshop)
    assert part.deletion_policy == "bin"
    last = Change.objects.filter(resource=part).last()
    assert last is not None
    assert not last.running
    actions.edit(actor, Resource.objects.get(id=workshop.id), changes=actions.Edit(spec={"workers": 2}))
    assert AuditEvent.objects.filter(target_id=part.id, action="service.release_part").count() == 1


def test_nobody_changes_it_alone(workshop: Resource, actor: Actor) -> None:
    part = cache_of(workshop)
    acts: list[Callable[[], object]] = [
        lambda: actions.stop(actor, part),
        lambda: actions.resize(actor, part, plan="standard-4"),
        lambda: actions.delete(actor, part),
        lambda: actions.edit(actor, part, changes=actions.Edit(spec={"greeting": "mine"})),
    ]
    for act in acts:
        with pytest.raises(Problem) as refused:
            act()
        assert (refused.value.code, refused.value.extra["owner"]) == ("part_of_service", workshop.public_id)
    assert actions.restart(actor, part).type == "restart"


def test_it_stops_after_its_owner_and_starts_before(workshop: Resource, actor: Actor) -> None:
    actions.stop(actor, workshop)
    assert cache_of(workshop).running
    turn(workshop)
    assert not cache_of(workshop).running
    all_turn()
    assert (Resource.objects.get(id=workshop.id).state, cache_of(workshop).state) == ("stopped", "stopped")
    actions.start(actor, Resource.objects.get(id=workshop.id))
    assert cache_of(workshop).running
    all_turn()
    assert (Resource.objects.get(id=workshop.id).state, cache_of(workshop).state) == ("running", "running")


def test_it_is_billed_as_long_as_its_owner(workshop: Resource, actor: Actor) -> None:
    part = cache_of(workshop)
    actions.stop(actor, workshop)
    last = Change.objects.filter(resource=part).last()
    assert last is not None
    assert not last.running
    all_turn()
    actions.start(actor, Resource.objects.get(id=workshop.id))
    last = Change.objects.filter(resource=part).last()
    assert last is not None
    assert last.running
    assert Change.objects.filter(resource=part).count() == 3


def test_it_goes_to_the_bin_and_comes_back_with_its_owner(workshop: Resource, actor: Actor) -> None:
    part = cache_of(workshop)
    actions.delete(actor, workshop)
    all_turn()
    assert (Resource.objects.get(id=workshop.id).state, cache_of(workshop).state) == ("deleted", "deleted")
    actions.undelete(actor, Resource.objects.get(id=workshop.id))
    all_turn()
    assert cache_of(workshop) == part
    assert (Resource.objects.get(id=workshop.id).state, cache_of(workshop).state) == ("running", "running")


@pytest.mark.parametrize("way", ["wipe", "bin"])
def test_nothing_of_it_is_left(workshop: Resource, actor: Actor, kernel: MemoryBackend, way: str) -> None:
    part = cache_of(workshop)
    actions.delete(actor, workshop, policy=way)
    all_turn()
    Resource.objects.filter(purged_at=None).update(
        purge_after=timezone.now() - datetime.timedelta(seconds=1), next_reconcile_at=timezone.now()
    )
    all_turn()
    for row in (workshop, part):
        assert Resource.objects.get(id=row.id).state == "purged"
        assert kernel.leftovers(row.handle) == []
        last = Change.objects.filter(resource=row).last()
        assert last is not None
        assert not last.present


def test_where_the_part_cannot_be_had_the_service_cannot(
    order: Callable[..., Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(offering: Offering, *_rest: object) -> str:
        return "no toys here" if offering.slug == "toy" else ""

    monkeypatch.setattr("portal.clusters.placement._missing_packages", missing)
    with pytest.raises(Problem) as refused:
        order(name="shop", offering="workshop")
    assert "no toys here" in refused.value.errors[0].detail
    assert order(name="shop", offering="workshop", spec={"with_cache": False}).state == "queued"


def test_a_generated_secret_is_made_anew_only_when_its_rotation_rises(
    workshop: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    first = kernel.secrets[workshop.handle]["api-key"]["password"]
    turn(workshop)
    assert kernel.secrets[workshop.handle]["api-key"]["password"] == first
    actions.edit(actor, workshop, changes=actions.Edit(spec={"key_version": 2}))
    turn(workshop)
    second = kernel.secrets[workshop.handle]["api-key"]["password"]
    assert second != first
    with pytest.raises(Problem):
        actions.edit(actor, workshop, changes=actions.Edit(spec={"key_version": 1}))


def test_a_run_that_may_start_once_starts_once(workshop: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    for workers in (2, 3):
        actions.edit(actor, Resource.objects.get(id=workshop.id), changes=actions.Edit(spec={"workers": workers}))
        all_turn()
    assert kernel.started.count((workshop.handle, "furnish")) == 1


def test_jobs_run_fail_and_are_tried_again(workshop: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    kernel.failing_children = {"brittle"}
    good = actions.create_child(actor, workshop, JOBS, name="good", spec={})
    turn(workshop)
    bad = actions.create_child(actor, workshop, JOBS, name="brittle", spec={})
    turn(workshop)
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state, bad.message) == ("succeeded", "failed", "it broke")
    kernel.failing_children = set()
    child = bad.child
    assert child is not None
    again = actions.retry_child(actor, child)
    turn(workshop)
    again.refresh_from_db()
    assert again.state == "succeeded"


def test_a_linked_service_is_used_and_can_not_be_deleted(
    order: Callable[..., Operation], actor: Actor, kernel: MemoryBackend
) -> None:
    store = turn(order(name="store").resource)
    made = order(name="shop", offering="workshop", spec={"store": store.public_id}).resource
    all_turn()
    assert kernel.wanted[made.handle].rendered.env["STORE_HOST"] == store.handle
    with pytest.raises(Problem) as refused:
        actions.delete(actor, store)
    assert refused.value.extra["used_by"] == ["shop"]
    actions.edit(actor, Resource.objects.get(id=made.id), changes=actions.Edit(spec={"store": None}))
    assert actions.delete(actor, store).type == "delete"


def test_a_spec_of_version_1_is_read_and_written_as_version_2(
    workshop: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    old = {"size": "large", "key_version": 1, "store": None, "with_cache": True}
    Resource.objects.filter(id=workshop.id).update(spec=old, spec_version=1)
    workshop = turn(workshop)
    assert kernel.wanted[workshop.handle].rendered.argv == ("workshop", "8")
    assert (workshop.spec_version, workshop.state) == (1, "running")
    actions.edit(actor, workshop, changes=actions.Edit(spec={"workers": 4}))
    workshop.refresh_from_db()
    assert (workshop.spec["workers"], workshop.spec_version, "size" in workshop.spec) == (4, 2, False)


def test_facts_that_grow_without_end_are_a_fault_and_not_a_row(
    running: Resource, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = running.facts
    observe = type(running.offering.drivers["local"]).observe

    def too_much(driver: object, view: object, state: object) -> object:
        return replace(observe(driver, view, state), facts={"log": "x" * 70_000})  # type: ignore[arg-type]

    monkeypatch.setattr(type(running.offering.drivers["local"]), "observe", too_much)
    row = turn(running, times=1)
    assert row.facts == before
    assert next(c for c in row.conditions if c["type"] == "Synced")["reason"] == "InternalError"
    assert engine_turn.pause(row.failures) > datetime.timedelta(0)
