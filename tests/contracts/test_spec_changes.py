"""However a service came to what is asked of it, it is asked the same of the backend as of one that began with it.

A walk of random legal changes (settings, plan, run and stop, networks, parts) through the real actions and the engine,
for every offering with a local driver and with no line written for one; then a fresh service with the last wish.
"""

import dataclasses
import datetime
import difflib
import json
import re
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from portal.core import registry
from portal.core.actors import Actor
from portal.core.drivers import Run, Unit
from portal.core.errors import Problem
from portal.core.offerings import ChildKind, Nature, Offering, Yes
from portal.core.specs import meta_of
from portal.projects.models import Project
from portal.resources import actions, engine
from portal.resources.models import Child, Operation, Resource
from tests.contracts.schemas import fields_of
from tests.resources.conftest import actor, backend, cluster, enqueued, kernel, toy
from tests.resources.doubles import TOY, MemoryBackend
from tests.resources.offerings import FLEET, WORKSHOP

pytestmark = pytest.mark.django_db
__all__ = ["actor", "backend", "cluster", "enqueued", "kernel", "toy"]  # fixtures
OFFERINGS = {**registry.offerings(), **{offering.slug: offering for offering in (TOY, FLEET, WORKSHOP)}}
NETWORKS = ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "203.0.113.0/24")
FIRST, FRESH = "walked-there", "began-there"
CHANGES, TRIES = 20, 60
WALKS, WALKS_IN_FULL = 3, 13  # hypothesis begins with the plainest there are, where nothing changes


@pytest.mark.parametrize("slug", sorted(slug for slug, found in OFFERINGS.items() if "local" in found.drivers))
@pytest.mark.parametrize("walks", [WALKS, pytest.param(WALKS_IN_FULL, marks=pytest.mark.full)])
def test_a_walk_of_changes_ends_where_a_fresh_service_begins(
    kernel: MemoryBackend, actor: Actor, project: Project, slug: str, walks: int
) -> None:
    accepted = []

    @settings(
        max_examples=walks,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def walk(data: DataObject) -> None:
        with transaction.atomic():
            walker = Walker(data, kernel, actor, project, OFFERINGS[slug])
            accepted.append(walker.go())
            there, fresh = walker.rendered(walker.row), walker.rendered(walker.fresh())
            transaction.set_rollback(True)
        difference = "\n".join(difflib.unified_diff(there, fresh, "walked", "fresh", lineterm="", n=2))
        assert not difference, difference

    walk()
    assert sum(accepted) >= (walks - 2) * CHANGES, "too few of the changes were legal"


def test_the_comparison_sees_a_difference(kernel: MemoryBackend, actor: Actor, project: Project) -> None:
    """A check that can't fail is a defect: one setting, one part and one network more are each seen."""
    plain = ordered(actor, project, TOY, "plain", {})
    texts = {as_text(kernel, plain)}
    for name, fields in (("other", {"spec": {"greeting": "other"}}), ("larger", {"plan": "free"})):
        row = settle(actions.order(actor, project=project, request=_request(TOY, name, **fields)).resource)
        texts.add(as_text(kernel, row) + row.plan_slug)
    actions.create_child(actor, plain, TOY.children[0], name="more")
    texts.add(as_text(kernel, settle(plain)))
    assert len(texts) == 4


class Walker:
    """One service and what can be done with it."""

    def __init__(
        self, data: DataObject, backend: MemoryBackend, actor: Actor, project: Project, offering: Offering
    ) -> None:
        self.data, self.backend, self.actor, self.project, self.offering = data, backend, actor, project, offering
        slugs = {slug for info in offering.spec.model_fields.values() for slug in meta_of(info).ref}
        self.targets = {
            slug: [ordered(actor, project, OFFERINGS[slug], f"used-{slug}", {}).public_id] for slug in sorted(slugs)
        }
        self.fields = fields_of(offering.spec, self.targets)
        self.plans = [plan.slug for plan in offering.plans if "local" in plan.backends]
        spec = {name: data.draw(values) for name, values in self.fields.items()}
        self.row = ordered(actor, project, offering, FIRST, spec, plan=data.draw(st.sampled_from(self.plans)))
        self.steps = [step for step, is_there in self._steps().items() if is_there]

    def _steps(self) -> dict[Any, bool]:
        verbs = {verb.slug for verb in self.offering.verbs}
        kinds = self.offering.children
        return {
            self.change_settings: bool(self._changeable()),
            self.change_plan: "resize" in verbs and len(self.plans) > 1,
            self.stop_or_start: {"stop", "start"} <= verbs,
            self.change_networks: isinstance(self.offering.capabilities.allow_list, Yes),
            self.add_part: any("create" in kind.verbs for kind in kinds),
            self.change_part: any("update" in kind.verbs for kind in kinds),
            self.remove_part: any("delete" in kind.verbs for kind in kinds),
        }

    def go(self) -> int:
        """Make changes until there are enough; return how many took effect."""
        accepted = tries = 0
        while accepted < CHANGES and tries < TRIES:
            accepted, tries = accepted + self.step(), tries + 1
        return accepted

    def step(self) -> bool:
        """Do one change and let it take effect; return whether it was legal. A refused one has done nothing."""
        before = self.row.generation
        try:
            operation = self.data.draw(st.sampled_from(self.steps))()
        except Problem:
            self.row = Resource.objects.get(id=self.row.id)
            assert self.row.generation == before
            return False
        self.row = settle(self.row)
        if isinstance(operation, Operation):
            operation.refresh_from_db()
            assert operation.state == "succeeded", (operation.type, operation.message, self.row.conditions)
        return operation is not None

    # ---- what can be done --------------------------------------------------------------------------------------------

    def change_settings(self) -> Operation | None:
        names = self.data.draw(st.lists(st.sampled_from(self._changeable()), min_size=1, max_size=3, unique=True))
        return actions.edit(
            self.actor, self.row, changes=actions.Edit(spec={name: self._legal(name, self.row.spec) for name in names})
        )

    def change_plan(self) -> Operation:
        return actions.resize(self.actor, self.row, plan=self.data.draw(st.sampled_from(self.plans)))

    def stop_or_start(self) -> Operation:
        return actions.stop(self.actor, self.row) if self.row.running else actions.start(self.actor, self.row)

    def change_networks(self) -> Operation | None:
        networks = self.data.draw(st.lists(st.sampled_from(NETWORKS), max_size=3, unique=True))
        wanted = [{"cidr": cidr} for cidr in networks]
        return actions.edit(self.actor, self.row, changes=actions.Edit(ip_allow_list=wanted))

    def add_part(self) -> Operation:
        kind = self.data.draw(st.sampled_from([kind for kind in self.offering.children if "create" in kind.verbs]))
        name = "" if kind.generated_name else self.data.draw(st.from_regex(r"\A[a-z]{6}\Z"))
        made = actions.create_child(self.actor, self.row, kind, name=name, spec=self._part_spec(kind))
        if kind.nature is not Nature.RUN:
            return made
        settle(self.row)  # what has run is over; a fresh service has not run it, so it goes again
        child = Child.objects.get(id=made.child_id)
        child.resource = self.row
        return actions.delete_child(self.actor, child)

    def change_part(self) -> Operation | None:
        if (child := self._part("update")) is None:
            return None
        kind = self.offering.child(child.kind)
        assert kind is not None
        return actions.edit_child(self.actor, child, spec=self._part_spec(kind))

    def remove_part(self) -> Operation | None:
        child = self._part("delete")
        return actions.delete_child(self.actor, child) if child else None

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def _changeable(self) -> list[str]:
        return [name for name in self.fields if meta_of(self.offering.spec.model_fields[name]).changeable]

    def _legal(self, name: str, before: dict[str, Any]) -> Any:
        """Draw a value that the field takes from what it is now."""
        value, old = self.data.draw(self.fields[name]), before[name]
        grows = meta_of(self.offering.spec.model_fields[name]).grows_only
        return old if grows and old is not None and (value is None or value < old) else value

    def _part_spec(self, kind: ChildKind) -> dict[str, Any]:
        found = fields_of(kind.spec, self.targets)
        return {name: self.data.draw(found[name]) for name in self.data.draw(_some(sorted(found)))}

    def _part(self, verb: str) -> Child | None:
        kinds = [kind.slug for kind in self.offering.children if verb in kind.verbs]
        rows = list(Child.objects.filter(resource=self.row, kind__in=kinds, deletion_requested_at=None).order_by("id"))
        if not rows:
            return None
        child = self.data.draw(st.sampled_from(rows))
        child.resource = self.row
        return child

    # ---- the end -----------------------------------------------------------------------------------------------------

    def fresh(self) -> Resource:
        """Return a service that was ordered as this one is asked for now, parts and all."""
        row = ordered(
            self.actor,
            self.project,
            self.offering,
            FRESH,
            {name: self.row.spec[name] for name in self.fields},
            plan=self.row.plan_slug,
            ip_allow_list=self.row.ip_allow_list,
        )
        for child in Child.objects.filter(resource=self.row).order_by("id"):
            self._repeat(row, child)
            row = settle(row)
        if not self.row.running:
            actions.stop(self.actor, row)
        return settle(row)

    def _repeat(self, row: Resource, child: Child) -> None:
        kind = self.offering.child(child.kind)
        assert kind is not None
        spec = {name: value for name, value in child.spec.items() if name in fields_of(kind.spec, {})}
        there = Child.objects.filter(resource=row, kind=kind.slug, name=child.name).first()
        if there is None:
            actions.create_child(self.actor, row, kind, name=child.name, spec=spec)
        else:
            there.resource = row
            actions.edit_child(self.actor, there, spec=spec)

    def rendered(self, row: Resource) -> list[str]:
        """Return what the backend is asked for, of the service and of what it brings along, and what is stored."""
        parts = Resource.objects.filter(owner=row, deletion_requested_at=None).order_by("role")
        rows = [row, *parts]
        texts = [as_text(self.backend, each) + json.dumps(each.spec, indent=1, sort_keys=True) for each in rows]
        return "\n".join(texts).splitlines()


def _some(names: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True) if names else st.just([])


def _request(offering: Offering, name: str, **fields: Any) -> actions.OrderRequest:
    return actions.OrderRequest(name=name, offering=offering.slug, acknowledge=("end_of_support",), **fields)


def ordered(
    actor: Actor, project: Project, offering: Offering, name: str, spec: dict[str, Any], **fields: Any
) -> Resource:
    """Order a service and let it come up."""
    return settle(actions.order(actor, project=project, request=_request(offering, name, spec=spec, **fields)).resource)


def settle(row: Resource) -> Resource:
    """Take turns for a service and its parts until nobody is due."""
    for _turn in range(20):
        rows = [row, *Resource.objects.filter(owner=row)]
        soon = timezone.now() + datetime.timedelta(seconds=5)  # what is due later looks at the same again
        due = Resource.objects.filter(id__in=[each.id for each in rows], next_reconcile_at__lte=soon)
        waiting = list(due.order_by("-id").values_list("id", flat=True))
        if not waiting:
            break
        for key in waiting:
            engine.reconcile(key)
    return Resource.objects.get(id=row.id)


def as_text(backend: MemoryBackend, row: Resource) -> str:
    """Return what a backend is asked for without what belongs to this service alone: handles, ids, counts, its name."""
    unit = backend.wanted[row.handle].rendered
    assert isinstance(unit, Unit)
    documents = {kind: text for kind, (_revision, text) in backend.documents_.get(row.handle, {}).items() if text}
    # The document of a kind whose last child has gone is empty; of one that never had a child there is none.
    kept = tuple(document for document in unit.documents if document.kind in documents)
    runs = tuple(_unnumbered(run) for run in unit.runs if run.argv[0] != "take" or run.argv[1] in documents)
    unit = dataclasses.replace(unit, documents=kept, runs=runs)
    text = json.dumps([dataclasses.asdict(unit), documents], sort_keys=True, default=str, indent=1)
    own = {each.handle: f"handle-{each.role}" for each in Resource.objects.filter(owner=row)} | {row.handle: "handle"}
    for child in Child.objects.filter(resource=row):
        own |= dict.fromkeys((str(child.id), child.id.hex), f"{child.kind}-{child.name}")
    for mine, common in own.items():
        text = text.replace(mine, common)
    text = text.replace(FIRST, "name").replace(FRESH, "name")
    return re.sub(r'("revision"): \d+', r"\1", text)


def _unnumbered(run: Run) -> Run:
    """Leave out which generation of a part a run is for: it counts changes."""
    key, *covers = (re.sub(r"^(\w+:[\w-]+):\d+", r"\1", word) for word in (run.key, *run.covers))
    return dataclasses.replace(run, key=key, covers=tuple(covers))
