"""What differs by kind of cluster: settings that only one has, capabilities, networks, restores in place."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone

from portal.clusters.models import Cluster, Region
from portal.core import registry, specs
from portal.core.actors import Actor
from portal.core.drivers.kubernetes import KubernetesDriver
from portal.core.errors import Problem
from portal.core.forms import spec_form
from portal.core.offerings import No, Offering, Yes
from portal.projects.models import Project
from portal.resources import actions
from portal.resources.api.shapes import service_json
from portal.resources.models import Child, Operation, Resource
from portal.resources.presenters.children import creation_refusal
from portal.resources.presenters.effects import bin_words, wipe_words
from tests.resources.doubles import TOY, MemoryBackend, ToyDriver, ToySpec

Order = Callable[..., Operation]
SOURCE = "tests/resources"


class TwofoldSpec(ToySpec):
    """The toy's settings, and one that only a Kubernetes region has."""

    helpers: int = specs.spec_field(0, title="Helpers", backends=("kubernetes",), ge=0, le=9)


class ToyThere(ToyDriver, KubernetesDriver):
    """The toy's driver, for a cluster that serves all it needs."""

    kinds, operator = (), "Nobody"


TWOFOLD = dataclasses.replace(
    TOY,
    slug="twofold",
    spec=TwofoldSpec,
    drivers={**TOY.drivers, "kubernetes": ToyThere()},
    capabilities=dataclasses.replace(
        TOY.capabilities,
        pitr=Yes("To any moment.", ("kubernetes",), otherwise=No("Nothing is archived.", SOURCE)),
        allow_list=Yes("By the engine.", ("local",), otherwise=No("Nothing there can keep it.", SOURCE)),
    ),
)


@pytest.fixture
def twofold(kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> Offering:
    found = {**registry.offerings(), TWOFOLD.slug: TWOFOLD}
    monkeypatch.setattr(registry, "offerings", lambda: found)
    monkeypatch.setattr("portal.clusters.placement._reason", lambda *_args: "")
    region = Region.objects.create(slug="vienna", name="Vienna")
    Cluster.objects.create(region=region, name="vienna-1", kind="kubernetes")
    return TWOFOLD


def refusal(asked: Callable[[], Any]) -> tuple[str, str, str]:
    with pytest.raises(Problem) as caught:
        asked()
    error = caught.value.errors[0]
    return error.pointer, error.code, error.detail


def test_what_is_not_named_holds_otherwise() -> None:
    answer = Yes("Here.", ("local",), otherwise=No("Not there.", SOURCE))
    assert answer.on("local") is answer
    assert answer.on("kubernetes") == No("Not there.", SOURCE)
    twice = Yes("Here.", ("local",), otherwise=Yes("There, in another way.", ("kubernetes",)))
    assert twice.on("kubernetes") == twice.otherwise
    silent = Yes("Here.", ("local",)).on("kubernetes")
    assert isinstance(silent, No)
    assert str(silent.reason)
    assert No("Nowhere.", SOURCE).on("local") == No("Nowhere.", SOURCE)


def test_a_setting_of_another_kind_of_cluster_is_refused_with_a_remedy(twofold: Offering, order: Order) -> None:
    there = {"offering": "twofold", "region": "vienna", "spec": {"helpers": 2}}
    pointer, code, detail = refusal(lambda: order(**{**there, "region": "local"}))
    assert (pointer, code) == ("/spec/helpers", "not_supported")
    assert "kubernetes" in detail
    assert order(**there).resource.load_spec().helpers == 2  # type: ignore[attr-defined]
    assert order("plain", offering="twofold", region="local", spec={"helpers": 0}).resource.name == "plain"


def test_a_change_and_its_quote_are_refused_alike(twofold: Offering, order: Order, actor: Actor) -> None:
    row = order(offering="twofold", region="local").resource
    change = {"helpers": 1}
    assert refusal(lambda: actions.edit(actor, row, changes=actions.Edit(spec=change)))[0] == "/spec/helpers"
    assert refusal(lambda: actions.preview_change(actor, row, {"spec": change}))[0] == "/change/spec/helpers"
    there = order("there", offering="twofold", region="vienna").resource
    Operation.objects.filter(resource=there).delete()
    assert actions.edit(actor, there, changes=actions.Edit(spec=change)) is not None


def test_a_form_asks_only_what_can_be_had() -> None:
    assert "helpers" not in spec_form(TwofoldSpec, backends=("local",)).fields
    assert "helpers" in spec_form(TwofoldSpec, backends=("local", "kubernetes")).fields
    assert "helpers" in spec_form(TwofoldSpec).fields
    sent = spec_form(TwofoldSpec, data=QueryDict("spec-helpers=3&spec-greeting=hello"), backends=("local",))
    assert sent.is_valid()
    assert "helpers" not in sent.cleaned_spec()


def test_networks_are_refused_where_nothing_keeps_them(twofold: Offering, order: Order, actor: Actor) -> None:
    networks = [{"cidr": "192.0.2.0/24"}]
    pointer, code, detail = refusal(lambda: order(offering="twofold", region="vienna", ip_allow_list=networks))
    assert (pointer, code) == ("/ip_allow_list", "not_supported")
    assert "Nothing there can keep it." in detail
    there = order(offering="twofold", region="vienna").resource
    assert (
        refusal(lambda: actions.edit(actor, there, changes=actions.Edit(ip_allow_list=networks)))[0] == "/ip_allow_list"
    )
    assert order("here", offering="twofold", region="local", ip_allow_list=networks).resource.ip_allow_list


class Keeping(ToyThere):
    """The same, where settings may name a store of backups."""

    def keeps_backups(self, settings: Any) -> bool:
        return "store" in settings


def test_backups_are_made_and_promised_only_where_they_are_kept(
    twofold: Offering, order: Order, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = dataclasses.replace(TWOFOLD, drivers={**TWOFOLD.drivers, "kubernetes": Keeping()})
    found = {**registry.offerings(), kept.slug: kept}
    monkeypatch.setattr(registry, "offerings", lambda: found)
    row = order(offering="twofold", region="vienna").resource
    kind = kept.child("backups")
    assert kind is not None
    with pytest.raises(Problem) as refused:
        actions.create_child(actor, row, kind)
    assert refused.value.code == "not_supported"
    assert creation_refusal(row, kind) == refused.value.detail
    assert "backup" not in bin_words(row) + wipe_words(row)
    assert service_json(row)["backup"]["retention_days"] == 0
    Cluster.objects.filter(id=row.cluster_id).update(settings={"store": "here"})
    row = Resource.objects.get(id=row.id)
    assert "backup" in bin_words(row)
    assert "backups included" in wipe_words(row)
    assert service_json(row)["backup"]["retention_days"] == row.plan.backup_retention_days > 0
    assert creation_refusal(row, kind) == ""
    assert actions.create_child(actor, row, kind).type == "backup"


def test_a_backup_goes_over_a_service_only_where_that_is_possible(
    twofold: Offering, order: Order, actor: Actor, project: Project
) -> None:
    row = order(offering="twofold", region="vienna").resource
    Resource.objects.filter(id=row.id).update(state="running")
    backup = Child.objects.create(resource=row, kind="backups", name="b-1", state="succeeded")
    pointer, code, detail = refusal(lambda: actions.restore(actor, row, backup=backup, in_place=True))
    assert (pointer, code) == ("/in_place", "not_supported")
    assert "new service" in detail
    Cluster.objects.filter(id=row.cluster_id).update(kind="local")
    assert actions.restore(actor, Resource.objects.get(id=row.id), backup=backup, in_place=True).type == "restore"


def test_a_moment_is_restored_into_a_new_service_within_what_is_archived(
    twofold: Offering, order: Order, actor: Actor
) -> None:
    here, row = (order(name, offering="twofold", region=at).resource for name, at in (("a", "local"), ("b", "vienna")))
    moment, before = (datetime.datetime(2026, 1, day, tzinfo=datetime.UTC) for day in (3, 1))

    def asked(resource: Resource, time: datetime.datetime = moment, **more: Any) -> Operation:
        fields = {"backup": None, "time": time, "target_name": "copy", **more}
        return actions.restore(actor, Resource.objects.get(id=resource.id), **fields)

    assert refusal(lambda: asked(here))[:2] == ("/time", "not_supported")
    with pytest.raises(Problem) as none_yet:
        asked(row)
    assert none_yet.value.code == "backup_missing"
    Resource.objects.filter(id=row.id).update(facts={"recoverable_from": "2026-01-02T00:00:00Z"})
    assert refusal(lambda: asked(row, before))[:2] == ("/time", "out_of_range")
    assert refusal(lambda: asked(row, timezone.now() + datetime.timedelta(minutes=1)))[1] == "out_of_range"
    assert refusal(lambda: asked(row, in_place=True))[:2] == ("/target", "required")
    made = asked(row).resource
    assert made.name == "copy"
    assert made.origin["facts"] == {"time": "2026-01-03T00:00:00Z"}  # type: ignore[index]
    assert made.origin["handle"] == row.handle  # type: ignore[index]
