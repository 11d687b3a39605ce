"""Limits as rows: who sets them, who asks for more, and what an answer does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.notify.models import Notification
from portal.projects import quotas
from portal.projects.collectors import COLLECTORS
from portal.projects.models import Organization, Project, Quota, QuotaRequest
from tests.fixtures import limit

ActorOf = Callable[..., Actor]
ApiOf = Callable[..., APIClient]
OF_PROJECT = "/api/v1/projects/acme-prod"
OF_ORGANIZATION = "/api/v1/organizations/acme"
ASKED = {"resource": "services", "limit": 300, "reason": "A launch."}


def refused(code: str) -> Any:
    return pytest.raises(Problem, match=f"^{code}:")


def test_a_project_has_the_default_and_an_organization_none(project: Project) -> None:
    limits = quotas.limits_of(project.organization_id, project.id)
    assert (limits.project, limits.organization) == ({"services": 200}, {})
    limit(project, 7)
    Quota.objects.create(organization=project.organization, resource="vcpu", limit=40)
    limits = quotas.limits_of(project.organization_id, project.id)
    assert (limits.project, limits.organization) == ({"services": 7}, {"vcpu": 40})
    assert quotas.limits_of(project.organization_id).project == {}


def test_only_an_operator_sets_a_limit_and_the_tenant_reads_why(
    owner: User, operator: User, organization: Organization, project: Project, actor_of: ActorOf
) -> None:
    wish: dict[str, Any] = {"organization": organization, "project": project, "resource": "vcpu", "limit": 9}
    for actor in (actor_of(owner), actor_of(operator, "read")):
        with refused("permission_denied"):
            quotas.set_quota(actor, **wish, reason="x")
    assert not Quota.objects.exists()
    quotas.set_quota(actor_of(operator), **wish, reason="As agreed.")
    assert quotas.effective(organization, project)["vcpu"] == 9
    event = AuditEvent.objects.get(action="quota.set", outcome="done")
    assert (event.organization_id, event.project_id) == (organization.id, project.id)
    assert (event.changes, event.reason) == ({"vcpu": [None, 9]}, "As agreed.")
    quotas.set_quota(actor_of(operator), **{**wish, "limit": None}, reason="No more.")
    assert "vcpu" not in quotas.effective(organization, project)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"resource": "horses"}, "/resource"),
        ({"resource": "services:horses"}, "/resource"),
        ({"limit": -1}, "/limit"),
        ({"limit": quotas.MOST + 1}, "/limit"),
        ({"reason": " "}, "/reason"),
        ({"reason": "x" * 1001}, "/reason"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(
    operator: User, organization: Organization, actor_of: ActorOf, wrong: dict[str, Any], pointer: str
) -> None:
    wish = {"organization": organization, "project": None, "resource": "services", "limit": 5, "reason": "x", **wrong}
    with pytest.raises(Problem) as refusal:
        quotas.set_quota(actor_of(operator), **wish)
    assert refusal.value.errors[0].pointer == pointer


@pytest.mark.parametrize(
    ("who", "of_project", "of_organization"),
    [("owner", 201, 201), ("developer", 403, 403), ("viewer", 403, 403), ("auditor", 403, 403), ("stranger", 404, 404)],
)
def test_who_may_ask_for_more(
    request: pytest.FixtureRequest, project: Project, api_of: ApiOf, who: str, of_project: int, of_organization: int
) -> None:
    Quota.objects.create(organization=project.organization, resource="services", limit=250)
    api = api_of(request.getfixturevalue(who))
    assert api.post(f"{OF_PROJECT}/quota-requests", ASKED, format="json").status_code == of_project
    assert api.post(f"{OF_ORGANIZATION}/quota-requests", ASKED, format="json").status_code == of_organization


def test_a_request_is_made_listed_and_withdrawn(owner: User, viewer: User, project: Project, api_of: ApiOf) -> None:
    api, path = api_of(owner), f"{OF_PROJECT}/quota-requests"
    made = api.post(path, ASKED, format="json").json()
    assert (made["state"], made["limit"], made["requested_by"]) == ("open", 300, owner.public_id)
    again = api.post(path, ASKED, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "request_open")
    assert [row["id"] for row in api_of(viewer).get(path).json()["items"]] == [made["id"]]
    assert api_of(viewer).post(f"{path}/{made['id']}/withdraw").status_code == 403
    assert api.post(f"{path}/{made['id']}/withdraw").json()["state"] == "withdrawn"
    late = api.post(f"{path}/{made['id']}/withdraw")
    assert (late.status_code, late.json()["code"]) == (409, "request_answered")
    assert api.post(path, ASKED, format="json").status_code == 201
    done = AuditEvent.objects.filter(project_id=project.id, outcome="done").order_by("id")
    assert list(done.values_list("action", flat=True)) == ["quota.request", "quota.withdraw", "quota.request"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [({"limit": 200}, "/limit"), ({"resource": "vcpu"}, "/resource"), ({"resource": "horses"}, "/resource")],
)
def test_more_is_asked_for_of_what_is_limited(
    owner: User, project: Project, api_of: ApiOf, wrong: dict[str, Any], pointer: str
) -> None:
    answer = api_of(owner).post(f"{OF_PROJECT}/quota-requests", {**ASKED, **wrong}, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def ask(actor: Actor, project: Project) -> QuotaRequest:
    return quotas.request_more(actor, organization=project.organization, project=project, **ASKED)


def test_an_operator_grants_refuses_and_answers_once(
    owner: User, operator: User, project: Project, actor_of: ActorOf
) -> None:
    asked = ask(actor_of(owner), project)
    assert Notification.objects.get(person_id=operator.id).kind == "quota.requested"
    with refused("permission_denied"):
        quotas.answer_request(actor_of(owner), request=asked, granted=True)
    with refused("invalid_arguments"):
        quotas.answer_request(actor_of(operator), request=asked, granted=False)
    answered = quotas.answer_request(actor_of(operator), request=asked, granted=True, limit=250, answer="For now.")
    assert (answered.state, answered.answer, answered.answered_by) == ("granted", "For now.", operator)
    assert quotas.services_limit(project) == 250
    told = Notification.objects.get(person_id=owner.id)
    assert (told.kind, told.link) == ("quota.answered", "/projects/acme-prod/quotas")
    with refused("request_answered"):
        quotas.answer_request(actor_of(operator), request=asked, granted=False, answer="No.")
    again = quotas.answer_request(
        actor_of(operator), request=ask(actor_of(owner), project), granted=False, answer="No."
    )
    assert (again.state, quotas.services_limit(project)) == ("refused", 250)
    project.organization.closed_at = timezone.now()
    with refused("organization_closed"):
        ask(actor_of(owner), project)


def test_metrics_tell_how_many_wait_for_an_answer(
    owner: User, operator: User, project: Project, actor_of: ActorOf
) -> None:
    def waiting() -> float:
        metrics = {metric.name: metric.samples[0].value for metric in COLLECTORS[0].collect()}
        assert (metrics["archipel_quota_requests_open_seconds"] > 0) == (metrics["archipel_quota_requests_open"] > 0)
        return float(metrics["archipel_quota_requests_open"])

    asked = ask(actor_of(owner), project)
    assert waiting() == 1
    quotas.answer_request(actor_of(operator), request=asked, granted=True)
    assert waiting() == 0


def test_a_token_of_one_project_sees_no_count_of_the_organization(owner: User, project: Project, api_of: ApiOf) -> None:
    for scopes, of_organization, of_project in (
        ((), 200, 200),
        (("read",), 200, 200),
        (("project:acme-prod",), 403, 200),
    ):
        api = api_of(owner, *scopes)
        assert api.get(f"{OF_ORGANIZATION}/quotas").status_code == of_organization
        assert api.get(f"{OF_ORGANIZATION}/quota-requests").status_code == of_organization
        assert api.get(f"{OF_PROJECT}/quotas").status_code == of_project


def test_the_page_shows_asks_and_withdraws(
    owner: User, viewer: User, project: Project, client_of: Callable[[User], Client]
) -> None:
    client, path = client_of(owner), "/projects/acme-prod/quotas"
    assert "Nothing asked for yet" in client.get(path).content.decode()
    assert client.post(path, {**ASKED, "limit": 3}).status_code == 422
    assert client.post(path, ASKED).status_code == 302
    shown = client.get(path).content.decode()
    assert "A launch." in shown
    asked = QuotaRequest.objects.get()
    seen_by_viewer = client_of(viewer).get(path).content.decode()
    assert ("A launch." in seen_by_viewer, "Withdraw" in seen_by_viewer) == (True, False)
    assert client.post(f"{path}/{asked.public_id}/withdraw").status_code == 302
    asked.refresh_from_db()
    assert asked.state == "withdrawn"
    assert "Ask for more" not in client.get("/organizations/acme/quotas").content.decode()  # it has no limit
    Quota.objects.create(organization=project.organization, resource="services", limit=250)
    assert client.post("/organizations/acme/quotas", ASKED).status_code == 302
    asked = QuotaRequest.objects.get(project=None)
    assert client.post(f"/organizations/acme/quotas/{asked.public_id}/withdraw").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_an_older_instance_s_limits_move_along() -> None:
    def migrate(to: list[tuple[str, str]]) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate(to)
        return MigrationExecutor(connection).loader.project_state(to).apps

    latest = [key for key in MigrationExecutor(connection).loader.graph.leaf_nodes() if key[0] == "projects"]
    try:
        old = migrate([("projects", "0002_people_and_quotas")])
        acme = old.get_model("projects", "Organization").objects.create(slug="acme", name="Acme")
        for slug, most in (("usual", 200), ("small", 3)):
            old.get_model("projects", "Project").objects.create(
                organization=acme, slug=slug, name=slug, max_services=most
            )
    finally:
        migrate(latest)
    assert {p.slug: quotas.services_limit(p) for p in Project.objects.all()} == {"usual": 200, "small": 3}
    assert Quota.objects.count() == 1
