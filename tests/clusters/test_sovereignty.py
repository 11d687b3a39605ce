"""What is stated of regions: by operators with a document and a reason, read by customers, withdrawn, never edited."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters import actions, sovereignty
from portal.clusters.models import Cluster, Region, SovereigntyFact
from portal.clusters.sovereignty import Statement
from portal.core.actors import Actor
from portal.core.errors import Problem

ActorOf, ClientOf = Callable[..., Actor], Callable[[User], Client]
TODAY = timezone.now().date()
YEAR = datetime.timedelta(days=365)
PROOF = "https://registry.example/company/4711"


@pytest.fixture
def region(db: None) -> Region:
    return Region.objects.create(slug="eu-north", name="Europe North", country="FI")


@pytest.fixture
def cluster(region: Region) -> Cluster:
    return Cluster.objects.create(region=region, name="north-1", kind="local")


def state(actor: Actor, region: Region, value: str = "Northern Cloud Oy", **more: Any) -> SovereigntyFact:
    given = {"kind": "legal_entity", "stated_on": TODAY, "document": PROOF, **more}
    return sovereignty.add_fact(actor, region=region, statement=Statement(value=value, **given), reason="New contract")


def test_an_operator_states_and_customers_read(
    operator: User,
    viewer: User,
    region: Region,
    actor_of: ActorOf,
    api_of: Callable[..., APIClient],
    client_of: ClientOf,
) -> None:
    state(actor_of(operator), region, valid_until=TODAY + YEAR)
    page = Client().get("/regions").content.decode()
    for text in ("Northern Cloud Oy", "Legal entity", PROOF, "noopener"):
        assert text in page, text
    [found] = api_of(viewer).get("/api/v1/regions").json()["items"]
    assert found["facts"] == [
        {
            "kind": "legal_entity",
            "value": "Northern Cloud Oy",
            "stated_on": TODAY.isoformat(),
            "valid_until": (TODAY + YEAR).isoformat(),
            "document": PROOF,
        }
    ]
    assert api_of(viewer).get("/api/v1/regions/eu-north").json() == found
    event = AuditEvent.objects.get(action="region.add_fact")
    assert (event.reason, event.actor_id, event.changes["document"]) == ("New contract", operator.id, [None, PROOF])


@pytest.mark.parametrize("who", ["owner", "support"])
def test_nobody_else_states_or_withdraws(
    who: str, operator: User, region: Region, actor_of: ActorOf, request: pytest.FixtureRequest
) -> None:
    fact, actor = state(actor_of(operator), region), actor_of(request.getfixturevalue(who))
    for act in (lambda: state(actor, region), lambda: sovereignty.withdraw_fact(actor, fact=fact, reason="because")):
        with pytest.raises(Problem, match="permission_denied") as caught:
            act()
        assert caught.value.afterwards is not None
        caught.value.afterwards()  # as whoever answers does
    assert SovereigntyFact.objects.filter(withdrawn_at=None).count() == 1
    assert AuditEvent.objects.filter(action="region.edit", outcome="denied").count() == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("document", "http://registry.example/"),
        ("document", "javascript:alert(1)"),
        ("document", "https://user:secret@registry.example/"),
        ("document", "registry.example"),
        ("document", "https://"),
        ("document", f"https://registry.example/{'x' * 500}"),
        ("value", " "),
        ("value", "x" * 201),
        ("value", "two\nlines"),
        ("kind", "opinion"),
        ("stated_on", TODAY + datetime.timedelta(days=2)),
        ("valid_until", TODAY - YEAR),
    ],
)
def test_what_proves_nothing_is_refused(
    field: str, value: Any, operator: User, region: Region, actor_of: ActorOf
) -> None:
    with pytest.raises(Problem) as caught:
        state(actor_of(operator), region, **{field: value})
    assert [error.pointer for error in caught.value.errors] == [f"/{field}"]
    assert not SovereigntyFact.objects.exists()


def test_a_reason_is_needed(operator: User, region: Region, actor_of: ActorOf) -> None:
    fact = state(actor_of(operator), region)
    with pytest.raises(Problem, match="Say why"):
        sovereignty.withdraw_fact(actor_of(operator), fact=fact, reason=" ")
    fact.refresh_from_db()
    assert fact.withdrawn_at is None


def test_what_no_longer_holds_stays_readable(operator: User, region: Region, actor_of: ActorOf) -> None:
    old = state(actor_of(operator), region, "Old Cloud Oy", stated_on=TODAY - YEAR, valid_until=TODAY - YEAR / 2)
    gone = state(actor_of(operator), region, "Gone Cloud Oy")
    state(actor_of(operator), region, "New Cloud Oy")
    sovereignty.withdraw_fact(actor_of(operator), fact=gone, reason="Sold")
    with pytest.raises(Problem, match="withdrawn already"):
        sovereignty.withdraw_fact(actor_of(operator), fact=gone, reason="Sold")
    assert [fact.value for fact in sovereignty.holding()] == ["New Cloud Oy"]
    assert {fact.id for fact in sovereignty.past_facts(region)} == {old.id, gone.id}
    overview, page = (Client().get(path).content.decode() for path in ("/regions", "/regions/eu-north"))
    assert ("Old Cloud Oy" in overview, "Gone Cloud Oy" in overview) == (False, False)
    for text in ("Old Cloud Oy", "Gone Cloud Oy", "Withdrawn", "What no longer holds"):
        assert text in page, text
    assert Client().get("/regions/nowhere").status_code == 404


def test_facts_that_end_soon_are_told_to_operators(operator: User, region: Region, actor_of: ActorOf) -> None:
    state(actor_of(operator), region, valid_until=TODAY + YEAR)
    soon = state(actor_of(operator), region, valid_until=TODAY + datetime.timedelta(days=20))
    assert list(sovereignty.ending_soon()) == [soon]


@pytest.mark.parametrize("number", [1, 12])
def test_the_page_takes_as_many_queries_for_many_regions(
    number: int, region: Region, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for place in range(number):
        Region.objects.create(slug=f"r{place}", name=f"R{place}")
    Client().get("/regions")
    with django_assert_max_num_queries(4):
        Client().get("/regions")


def test_a_cluster_takes_orders_or_not(operator: User, owner: User, cluster: Cluster, actor_of: ActorOf) -> None:
    with pytest.raises(Problem, match="permission_denied"):
        actions.set_enabled(actor_of(owner), cluster=cluster, enabled=False, reason="x")
    with pytest.raises(Problem, match="Say why"):
        actions.set_enabled(actor_of(operator), cluster=cluster, enabled=False, reason="")
    actions.set_enabled(actor_of(operator), cluster=cluster, enabled=False, reason="Disks are full")
    cluster.refresh_from_db()
    assert not cluster.enabled
    with pytest.raises(Problem, match="already"):
        actions.set_enabled(actor_of(operator), cluster=cluster, enabled=False, reason="Again")
    assert AuditEvent.objects.get(action="cluster.disable").changes == {"enabled": [True, False]}
    assert "Takes no orders" in Client().get("/regions").content.decode()


def test_a_cluster_is_looked_at_now(
    operator: User, owner: User, cluster: Cluster, actor_of: ActorOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Found:
        def discover(self) -> dict[str, Any]:
            return {"isolation": True, "problems": ["It is warm."]}

    monkeypatch.setattr(actions, "backend_of", lambda cluster: Found())
    with pytest.raises(Problem, match="permission_denied"):
        actions.discover_now(actor_of(owner), cluster=cluster, reason="x")
    assert actions.discover_now(actor_of(operator), cluster=cluster, reason="After the repair") == ["It is warm."]
    cluster.refresh_from_db()
    assert cluster.capabilities["isolation"] is True
    assert cluster.discovered_at is not None
