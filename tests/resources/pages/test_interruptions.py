"""What a change does to connections is said as it is where the service runs: a time only where it is known."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal.clusters.models import Cluster
from portal.core import registry
from portal.core.actors import Actor
from portal.core.drivers.kubernetes import KubernetesDriver
from portal.core.restarts import Restart
from portal.resources import actions
from portal.resources.api.shapes import quote_json
from portal.resources.models import Resource
from tests.resources.doubles import ToyDriver
from tests.resources.pages.conftest import OBSERVED

pytestmark = pytest.mark.django_db
Make = Callable[..., Resource]
PROMISE = "Connections drop for about 5 s"
ONE_NODE = "Connections drop while the engine restarts."
SWITCHOVER = "another one takes over"
ROLLING = "connections to each drop until it is back"


class ToyThere(ToyDriver, KubernetesDriver):
    """The toy's driver, for a Kubernetes cluster."""

    kinds, operator = (), "Nobody"


@pytest.fixture
def declared(toy: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Restart], None]:
    """``declared(restart)``: have the toy restart like that on Kubernetes, and in five seconds on this machine."""

    def declare(there: Restart) -> None:
        plans = (*OBSERVED.plans, dataclasses.replace(OBSERVED.plans[-1], slug="ha-16"))
        offering = dataclasses.replace(
            OBSERVED,
            plans=plans,
            drivers={**OBSERVED.drivers, "kubernetes": ToyThere()},
            restarts={"local": Restart(seconds=5), "kubernetes": there},
        )
        found = {**registry.offerings(), "toy": offering}
        monkeypatch.setattr(registry, "offerings", lambda: found)
        monkeypatch.setattr("portal.clusters.placement._reason", lambda *_args: "")

    return declare


@pytest.fixture
def vienna(cluster: Cluster) -> Cluster:
    return Cluster.objects.create(region=cluster.region, name="vienna", kind="kubernetes")


def quoted(actor: Actor, service: Resource, **change: Any) -> tuple[str, int | None]:
    quote = quote_json(actions.quote_change(actor, service, change))
    return quote["interruption"], quote["downtime_seconds"]


def test_this_machine_promises_seconds_and_a_cluster_none(
    browser: Client, make: Make, declared: Callable[[Restart], None], vienna: Cluster, actor: Actor
) -> None:
    declared(Restart(switchover=True))
    here, there = make("here"), make("there", cluster=vienna)
    for service, said, not_said in ((here, PROMISE, ONE_NODE), (there, ONE_NODE, PROMISE)):
        for path in ("resize?plan=standard-4", "do/restart", "do/upgrade"):
            page = browser.get(f"/services/{service.public_id}/{path}").content.decode()
            assert (said in page, not_said in page) == (True, False), (service.name, path)
    assert quoted(actor, here, plan="standard-4") == ("restart", 5)
    assert quoted(actor, there, plan="standard-4") == ("restart", None)


@pytest.mark.parametrize(
    "there, said, word", [(Restart(switchover=True), SWITCHOVER, "switchover"), (Restart(), ROLLING, "rolling")]
)
def test_several_nodes_go_one_after_the_other(
    browser: Client,
    make: Make,
    declared: Callable[[Restart], None],
    vienna: Cluster,
    actor: Actor,
    there: Restart,
    said: str,
    word: str,
) -> None:
    declared(there)
    service = make("there", cluster=vienna, plan_slug="ha-8")
    page = browser.get(f"/services/{service.public_id}/resize?plan=ha-16").content.decode()
    assert (said in page, ONE_NODE in page) == (True, False)
    assert quoted(actor, service, plan="ha-16") == (word, None)
    # On the way to or from one node nobody can take over.
    assert quoted(actor, service, plan="standard-4") == ("restart", None)


def test_what_stands_still_drops_nothing_and_a_stop_everything(
    browser: Client, make: Make, declared: Callable[[Restart], None], actor: Actor
) -> None:
    declared(Restart())
    service, stopped = make("here"), make("still", running=False)
    page = browser.get(f"/services/{stopped.public_id}/resize?plan=standard-4").content.decode()
    assert ("It is stopped" in page, PROMISE in page, "Connections stay open" in page) == (True, False, False)
    assert quoted(actor, stopped, plan="standard-4") == ("none", 0)
    assert quoted(actor, stopped, running=True) == ("none", 0)
    assert quoted(actor, service, running=False) == ("stop", None)
    assert quoted(actor, service, spec={}) == ("none", 0)


@pytest.mark.parametrize("seconds, word", [(5, "restart"), (0, "none")])
def test_a_quote_from_before_the_word_can_still_be_read(
    make: Make, declared: Callable[[Restart], None], actor: Actor, seconds: int, word: str
) -> None:
    declared(Restart())
    quote = actions.quote_change(actor, make("here"), {"plan": "standard-4"})
    del quote.body["interruption"]
    quote.body["downtime_seconds"] = seconds
    assert quote_json(quote)["interruption"] == word


def test_an_offering_that_declares_nothing_promises_nothing(
    make: Make, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {**registry.offerings(), "toy": dataclasses.replace(OBSERVED, restarts={})}
    monkeypatch.setattr(registry, "offerings", lambda: found)
    assert quoted(actor, make(), plan="standard-4") == ("restart", None)


@pytest.mark.parametrize("slug", ["postgresql", "valkey"])
def test_what_is_sold_promises_seconds_on_this_machine_alone(slug: str) -> None:
    offering = registry.offerings()[slug]
    assert offering.restart("local").seconds == 5
    assert offering.restart("kubernetes").seconds is None
    for answer in (offering.capabilities.resize, offering.capabilities.minor_upgrade):
        assert "seconds" not in str(answer)
