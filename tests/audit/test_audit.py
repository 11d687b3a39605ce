"""The audit log: who reads what, by API and page, with filters."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit import actions as audit
from portal.audit.models import AuditEvent
from portal.core.actors import SYSTEM, Actor
from portal.projects.models import Membership, Organization, Project
from tests.fixtures import person

API = "/api/v1/audit"
ApiOf = Callable[..., APIClient]


@pytest.fixture
def log(owner: User, project: Project, other_project: Project, actor_of: Callable[..., Actor]) -> dict[str, AuditEvent]:
    """One event of the organization, one of its project, one of a foreign project."""

    def event(action: str, place: Project, *, of_project: bool, **more: Any) -> AuditEvent:
        return audit.record(
            actor=actor_of(owner),
            action=action,
            target_kind="project",
            target_id=place.id,
            target_name=place.slug,
            organization_id=place.organization_id,
            project_id=place.id if of_project else None,
            **more,
        )

    return {
        "organization": event(
            "organization.set_role", project, of_project=False, changes={"role": ["member", "admin"]}
        ),
        "project": event("project.edit", project, of_project=True, outcome="denied"),
        "foreign": event("project.edit", other_project, of_project=True),
    }


READERS = {
    "owner": {"organization", "project"},
    "admin": {"organization", "project"},
    "auditor": {"organization", "project"},
    "developer": set(),
    "viewer": set(),
    "billing": set(),
    "member": set(),
    "stranger": {"foreign"},
    "operator": {"organization", "project", "foreign"},
    "support": set(),
}


@pytest.mark.parametrize("role", READERS)
def test_a_role_reads(role: str, log: dict[str, AuditEvent], api_of: ApiOf, request: pytest.FixtureRequest) -> None:
    body = api_of(request.getfixturevalue(role)).get(API).json()
    expected = {log[name].public_id for name in READERS[role]}
    assert {item["id"] for item in body["items"]} == expected
    assert body["total_count"] == len(expected)


def test_a_project_s_admin_reads_the_project_alone(
    log: dict[str, AuditEvent], organization: Organization, project: Project, api_of: ApiOf
) -> None:
    lead = person("lead@acme.example", organization, "member", project, "admin")
    assert ids(api_of(lead).get(API)) == [log["project"].public_id]


def test_a_token_for_a_project_reads_the_project_alone(
    log: dict[str, AuditEvent], owner: User, other_project: Project, api_of: ApiOf
) -> None:
    Membership.objects.create(user=owner, organization=other_project.organization, role="owner")
    assert ids(api_of(owner, "read", "project:acme-prod").get(API)) == [log["project"].public_id]
    assert len(ids(api_of(owner, "read").get(API))) == 3
    assert ids(api_of(owner, "family:databases").get(API)) == []


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [item["id"] for item in answer.json()["items"]]


def test_filters_keep(log: dict[str, AuditEvent], owner: User, project: Project, api_of: ApiOf) -> None:
    client = api_of(owner)
    organization, project_event = log["organization"].public_id, log["project"].public_id
    assert ids(client.get(API, {"project": "acme-prod"})) == [project_event]
    assert ids(client.get(API, {"organization": project.organization.public_id})) == [project_event, organization]
    assert ids(client.get(API, {"action": "organization"})) == [organization]
    assert ids(client.get(API, {"action": "project.edit"})) == [project_event]
    assert ids(client.get(API, {"action": "proj"})) == []
    assert ids(client.get(API, {"outcome": "denied"})) == [project_event]
    assert ids(client.get(API, {"target": project.public_id})) == [project_event, organization]
    assert ids(client.get(API, {"actor": owner.public_id})) == [project_event, organization]
    assert ids(client.get(API, {"since": "2100-01-01T00:00:00Z"})) == []
    assert len(ids(client.get(API, {"until": "2100-01-01T00:00:00Z"}))) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "maybe"},
        {"target": "x"},
        {"target": "proj_1"},
        {"since": "yesterday"},
        {"since": "2026-02-31"},
        {"x": "y"},
    ],
)
def test_filters_that_make_no_sense_are_named(owner: User, api_of: ApiOf, query: dict[str, str]) -> None:
    answer = api_of(owner).get(API, query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"?{next(iter(query))}"


def test_a_filter_for_a_log_that_is_not_one_s_own_is_refused_and_recorded(
    developer: User, project: Project, api_of: ApiOf
) -> None:
    assert api_of(developer).get(API, {"project": "acme-prod"}).status_code == 403
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome, event.project_id) == ("audit.read", "denied", project.id)
    assert api_of(developer).get(API, {"project": "other-prod"}).status_code == 404


def test_an_event_says_all_of_it(log: dict[str, AuditEvent], owner: User, auditor: User, api_of: ApiOf) -> None:
    item = api_of(auditor).get(API, {"action": "organization.set_role"}).json()["items"][0]
    assert item["actor"] == {"kind": "user", "id": owner.public_id, "name": owner.email, "token": None}
    assert item["changes"] == {"role": ["member", "admin"]}
    assert (item["address"], item["request_id"], item["outcome"]) == ("192.0.2.7", "test-1", "done")
    assert item["target"]["name"] == "acme-prod"


def test_readers_learn_no_address_of_the_provider_s_people(
    owner: User, operator: User, stranger: User, project: Project, api_of: ApiOf, actor_of: Callable[..., Actor]
) -> None:
    for actor in (actor_of(operator), actor_of(stranger), SYSTEM):
        audit.record(actor=actor, action="project.edit", target_kind="project", organization_id=project.organization_id)
    names = [item["actor"]["name"] for item in api_of(owner).get(API).json()["items"]]
    assert names == ["Archipel", "Somebody who left", "Provider"]


def test_people_see_what_they_did_to_their_own_account(developer: User, viewer: User, api_of: ApiOf) -> None:
    api_of(developer).post("/api/v1/tokens", {"name": "CI"}, format="json")
    assert [item["action"] for item in api_of(developer).get(API).json()["items"]] == ["token.create"]
    assert ids(api_of(viewer).get(API)) == []
    assert ids(api_of(developer, "read").get(API)) == []


def test_pages_follow_each_other_and_take_as_many_queries_for_many_rows(
    owner: User, project: Project, api_of: ApiOf, actor_of: Callable[..., Actor], django_assert_max_num_queries: Any
) -> None:
    for number in range(7):
        audit.record(
            actor=actor_of(owner),
            action=f"project.n{number}",
            target_kind="project",
            organization_id=project.organization_id,
        )
    client, seen, cursor = api_of(owner), [], ""
    client.get(API)
    while cursor is not None:
        with django_assert_max_num_queries(4):
            body = client.get(API, {"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["action"] for item in body["items"]]
        cursor = body["next_cursor"]
    assert seen == [f"project.n{number}" for number in reversed(range(7))]


def test_the_page_shows_events_with_what_changed(
    log: dict[str, AuditEvent], owner: User, developer: User, client_of: Callable[[User], Client]
) -> None:
    page = client_of(owner).get("/audit").content.decode()
    assert "<del>member</del>" in page
    assert "<ins>admin</ins>" in page
    assert "Refused" in page
    assert "other-prod" not in page
    nothing = client_of(developer).get("/audit").content.decode()
    assert "<ins>" not in nothing


def test_the_page_filters_pages_and_names_mistakes(
    owner: User, project: Project, client_of: Callable[[User], Client], actor_of: Callable[..., Actor]
) -> None:
    for number in range(51):
        audit.record(
            actor=actor_of(owner),
            action="project.edit",
            target_kind="project",
            target_name=f"n{number:02}",
            organization_id=project.organization_id,
        )
    client = client_of(owner)
    first = client.get("/audit", {"action": "project.edit"})
    assert first.context["page"]["total_count"] == 51
    assert "n50" in first.content.decode()
    assert re.search(r"\bn00\b", first.content.decode()) is None  # as a word: tokens of forms have any letters
    second = client.get("/audit", {"action": "project.edit", "cursor": first.context["page"]["next_cursor"]})
    assert [line.event.target_name for line in second.context["lines"]] == ["n00"]
    assert client.get("/audit", {"outcome": "maybe"}).status_code == 422
    assert client.get("/audit", {"project": "other-prod"}).status_code == 404


def test_what_people_wrote_is_escaped(owner: User, project: Project, client_of: Callable[[User], Client]) -> None:
    audit.record(
        actor=SYSTEM,
        action="project.edit",
        target_kind="project",
        target_name="<script>alert(1)</script>",
        organization_id=project.organization_id,
        changes={"name": ["<b>", "<i>"]},
        reason="<img src=x>",
    )
    page = client_of(owner).get("/audit").content.decode()
    assert not any(text in page for text in ("<script>alert", "<b>", "<img src=x>"))
