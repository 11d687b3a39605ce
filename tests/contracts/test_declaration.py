"""Every offering's declaration: complete, consistent with itself, priced, and answerable for what it says it can."""

import datetime
import re
from decimal import Decimal

import pytest

from portal.core import registry
from portal.core.offerings import FORK, RESIZE, RESTORE, START, STOP, UPGRADE, Nature, No, Offering
from portal.core.pricing import pricer

pytestmark = pytest.mark.django_db
SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")
PLAN = re.compile(r"free|(dev|standard|ha|premium)-\d+")
TAKEN_PREFIXES = {"org", "proj", "user", "svc", "op", "quo", "cred", "tok", "aud"}


@pytest.fixture(params=sorted(registry.offerings()))
def offering(request: pytest.FixtureRequest) -> Offering:
    return registry.offerings()[request.param]


def test_its_names_are_fit_for_paths_and_never_double(offering: Offering) -> None:
    assert SLUG.fullmatch(offering.slug)
    assert str(offering.summary)
    for names in (
        [version.line for version in offering.versions],
        [release for version in offering.versions for release in version.releases],
        [plan.slug for plan in offering.plans],
        [kind.slug for kind in offering.children],
        [kind.prefix for kind in offering.children],
        [verb.slug for verb in offering.verbs],
    ):
        assert len(names) == len(set(names))
    assert all(PLAN.fullmatch(plan.slug) for plan in offering.plans)
    assert not {kind.prefix for kind in offering.children} & TAKEN_PREFIXES


def test_exactly_one_version_is_the_default_and_it_is_supported(offering: Offering) -> None:
    assert sum(version.default for version in offering.versions) == 1
    assert not offering.default_version.ended(datetime.datetime.now(datetime.UTC).date())


def test_its_plans_are_sold_somewhere_and_have_sizes(offering: Offering) -> None:
    for plan in offering.plans:
        assert plan.cpu > 0
        assert plan.memory_mib > 0
        assert plan.nodes > 0
        assert plan.backends
    assert any(set(plan.backends) & set(offering.drivers) for plan in offering.plans)


def test_the_defaults_of_its_specs_are_valid(offering: Offering) -> None:
    assert offering.spec().model_dump(mode="json") is not None
    for kind in offering.children:
        for name, values in kind.initial:
            assert re.fullmatch(kind.name_pattern, name)
            kind.spec.model_validate(dict(values))


def test_every_plan_has_a_price_in_the_book(offering: Offering) -> None:
    for plan in offering.plans:
        price = pricer().price(offering, plan, offering.spec(), region="local")
        assert price.hourly >= 0
        assert (price.hourly == 0) == plan.free
        stopped = pricer().price(offering, plan, offering.spec(), region="local", running=False)
        assert stopped.hourly <= price.hourly
        assert {line.component for line in stopped.lines} <= {"storage", "backup"}
        assert all(isinstance(line.hourly, Decimal) for line in price.lines)


def test_each_capability_is_a_yes_that_is_there_or_a_no_with_reason_and_source(offering: Offering) -> None:
    capabilities = offering.capabilities.as_dict()
    for capability in capabilities.values():
        if isinstance(capability, No):
            assert str(capability.reason)
            assert capability.source
    verbs, kinds = {verb.slug for verb in offering.verbs}, {kind.slug for kind in offering.children}
    assert bool(capabilities["stop"]) == (STOP.slug in verbs) == (START.slug in verbs)
    assert bool(capabilities["resize"]) == (RESIZE.slug in verbs)
    assert bool(capabilities["minor_upgrade"]) == (UPGRADE.slug in verbs)
    assert bool(capabilities["backup"]) == ("backups" in kinds)
    assert bool(capabilities["restore"]) == (RESTORE.slug in verbs)
    assert FORK.slug not in verbs or bool(capabilities["restore"])
    assert bool(capabilities["users"]) == (offering.credentials_kind is not None)
    assert not capabilities["rotation"] or offering.credentials_kind is not None
    assert bool(capabilities["metrics"]) or not offering.metrics


def test_runs_can_be_followed_to_an_end(offering: Offering) -> None:
    for kind in offering.children:
        if kind.nature is Nature.RUN:
            assert kind.deadline_seconds > 0
            assert "delete" in kind.verbs
