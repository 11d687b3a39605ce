"""What an organization asks of its members, and founding one."""

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects import founding, policy
from portal.projects.models import Membership, Organization, Project
from tests.accounts.ways import enroll

ClientOf, ActorOf, ApiOf = Callable[[User], Client], Callable[..., Actor], Callable[..., APIClient]


def asked(organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(mfa_required=True)


def test_the_policy_is_set_by_who_may_edit_and_has_a_factor(
    owner: User, member: User, organization: Organization, actor_of: ActorOf
) -> None:
    enroll(member)
    with pytest.raises(Problem, match="permission_denied"):
        policy.set_policy(actor_of(member), organization, mfa_required=True)
    with pytest.raises(Problem, match="second_factor_missing"):
        policy.set_policy(actor_of(owner), organization, mfa_required=True)
    assert not Organization.objects.get().mfa_required
    enroll(owner)
    policy.set_policy(actor_of(owner), organization, mfa_required=True)
    policy.set_policy(actor_of(owner), organization, mfa_required=True)
    assert Organization.objects.get().mfa_required
    row = AuditEvent.objects.get(action="organization.set_policy", outcome="done")
    assert row.changes == {"mfa_required": [False, True]}
    organization.closed_at = timezone.now()
    with pytest.raises(Problem, match="organization_closed"):
        policy.set_policy(actor_of(owner), organization, mfa_required=False)
    assert Organization.objects.get().mfa_required


def test_a_member_without_a_factor_gets_to_the_account_alone(
    member: User, organization: Organization, client_of: ClientOf
) -> None:
    client = client_of(member)
    assert client.get("/services").status_code == 200
    asked(organization)
    for path in ("/services", "/", "/audit", "/account/tokens", "/organizations"):
        answer = client.get(path)
        assert (path, answer.status_code, answer.headers.get("Location")) == (path, 302, "/account/security?required=1")
    assert client.post("/account/tokens", {"name": "x"})["Location"] == "/account/security?required=1"
    fragment = client.get("/services", headers={"HX-Request": "true"})
    assert fragment["HX-Redirect"] == "/account/security?required=1"
    for path in ("/account", "/account/security", "/account/security/app", "/account/sessions"):
        assert client.get(path).status_code == 200
    enroll(member)
    assert client.get("/services").status_code == 200


def test_by_api_a_token_goes_on_and_a_session_is_refused(
    member: User, organization: Organization, client_of: ClientOf, api_of: ApiOf
) -> None:
    asked(organization)
    assert api_of(member).get("/api/v1/me").status_code == 200
    answer = client_of(member).get("/api/v1/me")
    assert (answer.status_code, json.loads(answer.content)["code"]) == (403, "second_factor_required")


def test_it_asks_nothing_of_people_elsewhere(
    stranger: User, organization: Organization, other_organization: Organization, client_of: ClientOf
) -> None:
    asked(organization)
    client = client_of(stranger)
    assert client.get("/services").status_code == 200
    asked(other_organization)
    assert client.get("/services").status_code == 302


def test_the_page_says_who_lacks_one_and_sets_it(
    owner: User, member: User, organization: Organization, client_of: ClientOf
) -> None:
    client, url = client_of(owner), f"/organizations/{organization.slug}/security"
    assert "2 members have none now" in client.get(url).content.decode()
    assert client.post(url, {"mfa_required": "on"}).status_code == 422
    enroll(owner)
    assert client.post(url, {"mfa_required": "on"}).status_code == 302
    assert Organization.objects.get(pk=organization.pk).mfa_required
    assert client.post(url).status_code == 302  # a switch that is off sends nothing
    assert not Organization.objects.get(pk=organization.pk).mfa_required
    Organization.objects.filter(pk=organization.pk).update(closed_at=timezone.now())
    assert "is closed" in client.post(url, {"mfa_required": "on"}).content.decode()
    enroll(member)
    assert client_of(member).get(url).status_code == 403


def test_founding_makes_organization_project_and_owner(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    assert client.post("/welcome", {"name": "Æther & Co", "project": "Production"})["Location"] == "/"
    made = Organization.objects.get(name="Æther & Co")
    assert Project.objects.get(organization=made).name == "Production"
    assert Membership.objects.get(organization=made).user == owner
    actions = set(AuditEvent.objects.filter(organization_id=made.id).values_list("action", flat=True))
    assert actions == {"organization.found", "project.create"}
    assert client.session["project"] == Project.objects.get(organization=made).slug


def test_one_person_founds_three_and_a_wrong_name_makes_nothing(stranger: User, actor_of: ActorOf) -> None:
    actor = actor_of(stranger)  # who owns one
    with pytest.raises(Problem) as wrong:
        founding.found_organization(actor, name="Second", project=" ")
    assert [error.pointer for error in wrong.value.errors] == ["/project"]
    assert Organization.objects.count() == 1
    for name in ("Second", "Third"):
        founding.found_organization(actor, name=name, project="First")
    with pytest.raises(Problem, match="too_many_organizations"):
        founding.found_organization(actor, name="Fourth", project="First")
    assert Organization.objects.count() == 3


def test_neither_a_narrowed_token_nor_a_service_account_founds(
    owner: User, organization: Organization, actor_of: ActorOf
) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=organization.id)
    for actor in (actor_of(owner, "write"), actor_of(machine)):
        with pytest.raises(Problem, match="permission_denied"):
            founding.found_organization(actor, name="Second", project="First")
    assert Organization.objects.count() == 1


def test_somebody_who_belongs_nowhere_is_welcomed(db: None, client_of: ClientOf) -> None:
    client = client_of(User.objects.create_user("new@new.example"))
    assert client.get("/")["Location"] == "/welcome"
    page = client.get("/welcome").content.decode()
    assert "new@new.example" in page
    assert "Found an organization" in page
