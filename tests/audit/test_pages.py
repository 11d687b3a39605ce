"""The pages of the log: filters, presets, lines of what changed, the seal, and one event by its own address."""

import datetime
from collections.abc import Callable
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit import actions as audit
from portal.audit import sealing
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.core.actors import SYSTEM, Actor
from portal.projects.audit import FILTERS
from portal.projects.models import Project

ClientOf, ApiOf, ActorOf = Callable[[User], Client], Callable[..., APIClient], Callable[..., Actor]


def edit(actor: Actor, project: Project, **more: object) -> AuditEvent:
    return audit.record(
        actor=actor,
        action="project.edit",
        target_kind="project",
        target_id=project.id,
        target_name=project.slug,
        organization_id=project.organization_id,
        project_id=project.id,
        **more,  # type: ignore[arg-type]
    )


def test_who_is_told_by_address_id_and_word(
    owner: User, developer: User, operator: User, stranger: User, project: Project, api_of: ApiOf, actor_of: ActorOf
) -> None:
    made = {name: edit(actor, project).public_id for name, actor in {
        "owner": actor_of(owner), "operator": actor_of(operator), "platform": SYSTEM}.items()}  # fmt: skip
    client = api_of(owner)

    def kept(who: str) -> list[str]:
        return [item["id"] for item in client.get("/api/v1/audit", {"actor": who}).json()["items"]]

    assert kept("OWNER@acme.example") == [made["owner"]] == kept(owner.public_id)
    assert kept("provider") == [made["operator"]]
    assert kept("platform") == [made["platform"]]
    edit(actor_of(stranger), project)
    assert kept("stranger@other.example") == kept("nobody@nowhere.example") == []  # nobody learns who has an account
    assert client.get("/api/v1/audit", {"target_kind": "service"}).json()["items"] == []
    assert client.get("/api/v1/audit", {"target_kind": "; drop"}).status_code == 422


def test_a_period_keeps_what_is_younger(owner: User, project: Project, client_of: ClientOf) -> None:
    with mock.patch("django.utils.timezone.now", return_value=timezone.now() - datetime.timedelta(days=2)):
        edit(SYSTEM, project)
    event = edit(SYSTEM, project)
    client = client_of(owner)
    page = client.get("/audit", {"period": "24h", "outcome": "done"})
    assert [line.event.id for line in page.context["lines"]] == [event.id]
    active = [item for item in page.context["periods"] if item["active"]]
    assert [item["title"] for item in active] == ["24 hours"]
    assert "outcome=done" in active[0]["url"]
    assert client.get("/audit", {"period": "1y"}).status_code == 422


def test_an_event_has_an_address_that_shows_all_of_it(
    owner: User,
    developer: User,
    stranger: User,
    project: Project,
    client_of: ClientOf,
    api_of: ApiOf,
    actor_of: ActorOf,
) -> None:
    changes = {"spec": [{f"n{n}": n for n in range(9)}, {f"n{n}": n + 1 for n in range(9)}]}
    event = edit(actor_of(owner), project, changes=changes, reason="told to", outcome="denied")
    listed = client_of(owner).get("/audit").content.decode()
    assert "5 more" in listed
    assert "spec.n8" not in listed
    page = client_of(owner).get(f"/audit/{event.public_id}").content.decode()
    for text in ("spec.n8", "told to", "192.0.2.7", "Tried and refused", "/projects/acme-prod", "Not sealed yet"):
        assert text in page, text
    sealing.seal_all()
    event.refresh_from_db()
    assert bytes(event.digest or b"").hex() in client_of(owner).get(f"/audit/{event.public_id}").content.decode()
    assert api_of(owner).get(f"/api/v1/audit/{event.public_id}").json()["reason"] == "told to"
    for who in (developer, stranger):
        assert client_of(who).get(f"/audit/{event.public_id}").status_code == 404
        assert api_of(who).get(f"/api/v1/audit/{event.public_id}").status_code == 404
    assert client_of(owner).get(f"/audit/{ids.encode('aud', ids.uuid7())}").status_code == 404


def test_a_target_is_linked_where_it_can_be_seen(
    owner: User, operator: User, project: Project, other_project: Project, client_of: ClientOf
) -> None:
    edit(SYSTEM, project)
    audit.record(
        actor=SYSTEM, action="project.move", target_kind="project", target_id=other_project.id,
        target_name=other_project.slug, organization_id=project.organization_id,
    )  # fmt: skip
    page = client_of(owner).get("/audit").content.decode()
    assert 'href="/projects/acme-prod"' in page
    assert 'href="/projects/other-prod"' not in page
    assert 'href="/projects/other-prod"' in client_of(operator).get("/audit").content.decode()


def test_the_page_tells_of_the_seal(owner: User, developer: User, project: Project, client_of: ClientOf) -> None:
    edit(SYSTEM, project)
    assert "No row is sealed yet" in client_of(owner).get("/audit").content.decode()
    sealing.seal_all()
    page = client_of(owner).get("/audit").content.decode()
    assert "Rows 1 to 1 of Acme are sealed" in page
    assert "/audit/head?organization=acme" in page
    assert "verifyaudit --head" in page
    assert "verifyaudit" not in client_of(developer).get("/audit").content.decode()


@pytest.mark.parametrize("number", [2, 50])
def test_the_page_takes_as_many_queries_for_many_rows(
    owner: User,
    project: Project,
    client_of: ClientOf,
    django_assert_max_num_queries: Callable[..., object],
    number: int,
) -> None:
    for _ in range(number):
        edit(SYSTEM, project)
    client = client_of(owner)
    client.get("/audit")
    with django_assert_max_num_queries(20):  # type: ignore[attr-defined]
        client.get("/audit")


@pytest.mark.parametrize(
    "value",
    ["\0", "'", '"><script>', "%00", "a" * 5000, "\u202e", "-1", "[]", "0001-01-01", "9999-12-31T23:59:59+23:59"],
)
@pytest.mark.parametrize(
    "path", ["/audit", "/audit/export", "/api/v1/audit", "/api/v1/audit/export", "/api/v1/audit/head"]
)
def test_no_filter_breaks_by_what_stands_in_it(
    path: str, value: str, owner: User, project: Project, client_of: ClientOf
) -> None:
    edit(SYSTEM, project)
    client = client_of(owner)
    for name in (*FILTERS, "cursor", "format"):
        answer = client.get(path, {name: value})
        assert (name, answer.status_code in (200, 403, 404, 422)) == (name, True)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        assert b"<script>alert" not in body
