"""An organization as a whole: named, left, handed over, closed, opened again."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects import actions, governing
from portal.projects.governing import Running
from portal.projects.models import Invitation, Organization, Project
from tests.fixtures import person, token_of

pytestmark = pytest.mark.django_db
ActorOf, ClientOf, ApiOf = Callable[..., Actor], Callable[[User], Client], Callable[..., APIClient]
ORG, API = "/organizations/acme", "/api/v1/organizations/acme"


def something_runs(organization: Organization) -> list[Running]:
    """A guard that finds something."""
    return [Running("acme-prod/box", "svc_x", "running")]


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        act()
    return refused.value.code


def test_admins_name_it_and_members_do_not(owner: User, member: User, client_of: ClientOf, api_of: ApiOf) -> None:
    assert client_of(owner).post(f"{ORG}/settings", {"name": "Acme Works"}).status_code == 302
    assert Organization.objects.get(slug="acme").name == "Acme Works"
    assert api_of(owner).patch(API, {"name": "Acme"}, format="json").json()["name"] == "Acme"
    assert client_of(member).post(f"{ORG}/settings", {"name": "Mine"}).status_code == 403
    assert api_of(member).patch(API, {"name": "Mine"}, format="json").status_code == 403
    assert AuditEvent.objects.get(action="organization.edit", changes__name=["Acme Works", "Acme"])


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "two\nlines", "turned \u202e round", "nul \0"])
def test_a_name_is_one_line_of_plain_text(name: str, owner: User, organization: Organization, api_of: ApiOf) -> None:
    assert api_of(owner).patch(API, {"name": name}, format="json").status_code == 422
    organization.refresh_from_db()
    assert organization.name == "Acme"


def test_a_name_is_shown_as_it_is_written(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    client.post(f"{ORG}/settings", {"name": "<script>alert(1)</script>"})
    for path in (ORG, f"{ORG}/settings", f"{ORG}/members", f"{ORG}/invitations", f"{ORG}/transfer", "/organizations"):
        assert "<script>alert" not in client.get(path).content.decode(), path


def test_it_is_handed_over_and_both_are_told(
    owner: User, admin: User, organization: Organization, api_of: ApiOf, mailoutbox: list[EmailMessage]
) -> None:
    body = {"member": admin.public_id}
    assert api_of(admin).post(f"{API}/transfer", {"member": owner.public_id}, format="json").status_code == 403
    assert api_of(owner).post(f"{API}/transfer", body, format="json").json()["role"] == "admin"
    roles = dict(organization.memberships.values_list("user__email", "role"))
    assert roles == {owner.email: "admin", admin.email: "owner"}
    assert sorted(mail.to[0] for mail in mailoutbox) == sorted([owner.email, admin.email])
    assert api_of(owner).post(f"{API}/transfer", body, format="json").status_code == 403
    assert AuditEvent.objects.filter(action="organization.transfer", outcome="done").count() == 1


def test_it_is_handed_to_another_person_who_is_a_member(
    owner: User, stranger: User, organization: Organization, api_of: ApiOf, actor_of: ActorOf
) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=organization.id)
    organization.memberships.create(user=machine, role="member")
    for heir, status in ((stranger, 404), (owner, 422), (machine, 404)):
        answer = api_of(owner).post(f"{API}/transfer", {"member": heir.public_id}, format="json")
        assert (heir.label, answer.status_code) == (heir.label, status)
    for refused in (stranger, machine):
        assert code_of(
            lambda heir=refused: governing.transfer(actor_of(owner), organization=organization, to=heir)
        ) == ("invalid_arguments")
    assert organization.memberships.get(role="owner").user == owner


def test_the_page_of_handing_over_wants_the_name(owner: User, admin: User, client_of: ClientOf) -> None:
    client, form = client_of(owner), {"member": admin.public_id}
    assert client.post(f"{ORG}/transfer", {**form, "confirm": "Acm"}).status_code == 422
    assert client.post(f"{ORG}/transfer", {**form, "confirm": "Acme"}).status_code == 302
    assert client.get(f"{ORG}/transfer").status_code == 403


def test_people_leave_but_not_the_last_owner(
    owner: User, developer: User, project: Project, organization: Organization, client_of: ClientOf, api_of: ApiOf
) -> None:
    client = client_of(developer)
    assert client.get("/projects/acme-prod").status_code == 200
    assert client.post(f"{ORG}/leave").status_code == 302
    assert client.get("/projects/acme-prod").status_code == 404  # at the next request
    assert client.get(ORG).status_code == 404
    assert api_of(owner).post(f"{API}/leave", {}, format="json").json()["code"] == "last_owner"
    page = client_of(owner).post(f"{ORG}/leave", follow=True).content.decode()
    assert "last owner" in page
    person("second@acme.example", organization, "owner")
    assert api_of(owner).post(f"{API}/leave", {}, format="json").status_code == 204


def test_it_closes_once_nothing_runs(
    owner: User, admin: User, organization: Organization, settings: Any, api_of: ApiOf
) -> None:
    right = {"confirm": "Acme"}
    settings.CLOSING_GUARDS = [f"{__name__}.something_runs"]
    refused = api_of(owner).post(f"{API}/close", right, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "organization_in_use")
    assert "acme-prod/box" in refused.json()["detail"]
    assert api_of(owner).get(f"{API}/close").json()["running"][0]["name"] == "acme-prod/box"
    settings.CLOSING_GUARDS = []
    assert api_of(admin).post(f"{API}/close", right, format="json").status_code == 403
    assert api_of(owner).post(f"{API}/close", {"confirm": "Acm"}, format="json").status_code == 422
    assert api_of(owner).post(f"{API}/close", right, format="json").json()["closed_at"]
    organization.refresh_from_db()
    assert organization.closed_at is not None


def test_closing_ends_tokens_of_machines_and_open_invitations_alone(
    owner: User, organization: Organization, actor_of: ActorOf
) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=organization.id)
    theirs, mine = token_of(machine)[0], token_of(owner)[0]
    Invitation.objects.create(
        organization=organization, email="a@b.example", role="member", digest="x", expires_at=timezone.now()
    )
    governing.close(actor_of(owner), organization=organization, confirm="acme")
    assert Invitation.objects.get().revoked_at is not None
    assert ApiToken.objects.get(pk=theirs.pk).revoked_at is not None
    assert ApiToken.objects.get(pk=mine.pk).revoked_at is None
    event = AuditEvent.objects.get(action="organization.close")
    assert (event.changes["tokens_revoked"], event.changes["invitations_revoked"]) == ([None, 1], [None, 1])


def test_a_closed_one_is_read_and_left_and_nothing_else(
    owner: User,
    admin: User,
    member: User,
    project: Project,
    organization: Organization,
    actor_of: ActorOf,
    api_of: ApiOf,
) -> None:
    me = actor_of(owner)
    governing.close(me, organization=organization, confirm="Acme")
    organization.refresh_from_db()
    refused = [
        lambda: actions.create_project(me, organization=organization, name="New"),
        lambda: actions.set_membership(me, organization=organization, user=member, role="admin"),
        lambda: actions.set_project_role(me, project=project, user=member, role="viewer"),
        lambda: governing.rename(me, organization=organization, name="New"),
        lambda: governing.transfer(me, organization=organization, to=admin),
        lambda: governing.close(me, organization=organization, confirm="Acme"),
    ]
    assert {code_of(act) for act in refused} == {"organization_closed"}
    for path in (
        API,
        f"{API}/members",
        f"{API}/close",
        "/api/v1/projects/acme-prod",
        "/api/v1/projects/acme-prod/services",
    ):
        assert api_of(owner).get(path).status_code == 200, path
    actions.remove_membership(actor_of(member), organization=organization, user=member)


def test_it_is_opened_again_while_the_bin_is_kept(
    owner: User, admin: User, operator: User, organization: Organization, actor_of: ActorOf, api_of: ApiOf
) -> None:
    governing.close(actor_of(owner), organization=organization, confirm="Acme")
    assert api_of(admin).post(f"{API}/reopen", {}, format="json").status_code == 403
    assert api_of(operator).post(f"{API}/reopen", {}, format="json").status_code == 422
    reopened = api_of(operator).post(f"{API}/reopen", {"reason": "asked by phone"}, format="json")
    assert reopened.json()["closed_at"] is None
    assert AuditEvent.objects.get(action="organization.reopen").reason == "asked by phone"
    assert code_of(lambda: governing.reopen(actor_of(owner), organization=organization)) == "not_closed"
    governing.close(actor_of(owner), organization=organization, confirm="Acme")
    Organization.objects.update(closed_at=timezone.now() - datetime.timedelta(days=15))
    assert code_of(lambda: governing.reopen(actor_of(owner), organization=organization)) == "closed_too_long"


def test_all_roles_of_a_member_change_together(
    owner: User, developer: User, project: Project, organization: Organization, client_of: ClientOf, api_of: ApiOf
) -> None:
    one = f"{API}/members/{developer.public_id}"
    assert api_of(owner).get(one).json()["project_roles"] == {"acme-prod": "developer"}
    body = {"role": "auditor", "project_roles": {"acme-prod": "viewer"}}
    assert api_of(owner).patch(one, body, format="json").json()["project_roles"] == {"acme-prod": "viewer"}
    wrong = {"role": "admin", "project_roles": {"other-prod": "viewer"}}
    assert api_of(owner).patch(one, wrong, format="json").json()["errors"][0]["pointer"] == "/project_roles/other-prod"
    assert organization.memberships.get(user=developer).role == "auditor"
    form = {"role": "member", "project-acme-prod": ""}
    assert client_of(owner).post(f"{ORG}/members/{developer.public_id}", form).status_code == 302
    assert organization.memberships.get(user=developer).role == "member"
    assert not project.memberships.filter(user=developer).exists()


def test_an_admin_changes_an_owner_in_projects_only(
    owner: User, admin: User, project: Project, organization: Organization, client_of: ClientOf
) -> None:
    one = f"{ORG}/members/{owner.public_id}"
    assert "above your own" in client_of(admin).get(one).content.decode()
    client_of(admin).post(one, {"role": "member", "project-acme-prod": "viewer"})
    assert organization.memberships.get(user=owner).role == "owner"
    assert client_of(admin).post(f"{one}/remove").status_code == 403


def test_only_who_governs_or_audits_sees_everybody(
    owner: User, auditor: User, member: User, billing: User, client_of: ClientOf, api_of: ApiOf
) -> None:
    for user, status in ((owner, 200), (auditor, 200), (member, 403), (billing, 403)):
        assert client_of(user).get(f"{ORG}/members").status_code == status
        assert api_of(user).get(f"{API}/members").status_code == status
    assert api_of(owner, "project:acme-prod").get(f"{API}/members").status_code in (403, 404)


def test_the_list_has_an_empty_state_and_ones_own_organizations(
    owner: User, operator: User, other_organization: Organization, client_of: ClientOf
) -> None:
    page = client_of(owner).get("/organizations").content.decode()
    assert "Acme" in page
    assert "Other" not in page
    assert "no organization yet" in client_of(operator).get("/organizations").content.decode()


def test_pages_take_as_many_queries_for_many_people(
    owner: User, organization: Organization, project: Project, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    client = client_of(owner)
    for number in range(30):
        person(f"p{number}@acme.example", organization, "member", project, "viewer")
    with django_assert_max_num_queries(20):
        assert client.get(f"{ORG}/members").status_code == 200
    with django_assert_max_num_queries(20):
        assert client.get(ORG).status_code == 200
