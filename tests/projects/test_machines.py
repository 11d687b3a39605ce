"""Service accounts: made with less than their maker has, acting by tokens alone, gone without a trace of access."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects import actions, machines
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from tests.fixtures import token_of

ActorOf = Callable[..., Actor]
ApiOf = Callable[..., APIClient]
MACHINES = "/api/v1/organizations/acme/service-accounts"


@pytest.fixture
def machine(owner: User, organization: Organization, project: Project, actor_of: ActorOf) -> User:
    roles = {"role": "member", "project_roles": {project.slug: "developer"}}
    return machines.create(actor_of(owner), organization=organization, name="CI", **roles)


def bearer(plain: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {plain}"})


def refused(code: str) -> Any:
    return pytest.raises(Problem, match=f"^{code}:")


@pytest.mark.parametrize(
    ("maker", "role", "allowed"),
    [
        ("owner", "owner", False),
        ("owner", "admin", True),
        ("admin", "admin", False),
        ("admin", "auditor", True),
        ("admin", "member", True),
        ("developer", "member", False),
        ("auditor", "member", False),
    ],
)
def test_its_role_is_below_its_maker_s(
    request: pytest.FixtureRequest, organization: Organization, actor_of: ActorOf, maker: str, role: str, allowed: bool
) -> None:
    actor = actor_of(request.getfixturevalue(maker))
    if allowed:
        made = machines.create(actor, organization=organization, name="CI", role=role)
        assert (machines.role_of(made), made.is_machine, made.has_usable_password()) == (role, True, False)
        return
    with refused("permission_denied"):
        machines.create(actor, organization=organization, name="CI", role=role)
    assert not User.objects.filter(machine_of=organization.pk).exists()


def test_it_acts_by_its_token_within_its_roles(owner: User, machine: User, project: Project, api_of: ApiOf) -> None:
    made = api_of(owner).post(f"{MACHINES}/{machine.public_id}/tokens", {"name": "deploy"}, format="json")
    assert made.status_code == 201
    api = bearer(made.json()["token"])
    me = api.get("/api/v1/me").json()
    assert (me["kind"], me["id"], me["name"], me["email"]) == ("service_account", machine.public_id, "CI", "")
    assert [p["slug"] for p in me["projects"]] == [project.slug]
    assert api.get(f"/api/v1/projects/{project.slug}/members").status_code == 200
    assert api.get(MACHINES).status_code == 403
    token = ApiToken.objects.get(user=machine)
    assert token.created_by == owner
    event = AuditEvent.objects.get(action="token.create", target_id=token.id)
    assert (event.actor_id, event.organization_id) == (owner.id, machine.machine_of)


def test_what_it_does_is_its_own_in_the_audit_log(owner: User, machine: User, api_of: ApiOf, actor_of: ActorOf) -> None:
    _token, plain = token_of(machine)
    api = bearer(plain)
    assert api.post("/api/v1/tokens", {"name": "again", "scopes": ["read"]}, format="json").status_code == 201
    shown = api_of(owner).get("/api/v1/audit?organization=acme&action=token.create").json()["items"][0]["actor"]
    assert (shown["kind"], shown["id"], shown["name"]) == ("service_account", machine.public_id, "CI")
    found = api_of(owner).get(f"/api/v1/audit?organization=acme&actor={machine.public_id}").json()["items"]
    assert [event["action"] for event in found] == ["token.create"]
    machines.delete(actor_of(owner), organization=Organization.objects.get(slug="acme"), machine=machine)
    later = api_of(owner).get("/api/v1/audit?organization=acme&action=token.create").json()["items"][0]["actor"]
    assert later["name"] == "CI"


def test_deactivated_and_deleted_its_tokens_stop_at_once(
    owner: User, machine: User, organization: Organization, api_of: ApiOf
) -> None:
    _token, plain = token_of(machine)
    boss, api, path = api_of(owner), bearer(plain), f"{MACHINES}/{machine.public_id}"
    assert api.get("/api/v1/me").status_code == 200
    assert boss.patch(path, {"active": False}, format="json").json()["active"] is False
    assert api.get("/api/v1/me").status_code == 401
    refusal = boss.post(f"{path}/tokens", {"name": "more"}, format="json")
    assert (refusal.status_code, refusal.json()["code"]) == (409, "not_active")
    assert boss.patch(path, {"active": True}, format="json").json()["active"] is True
    assert api.get("/api/v1/me").status_code == 200
    assert boss.delete(path).status_code == 204
    assert api.get("/api/v1/me").status_code == 401
    assert boss.get(path).status_code == 404
    machine.refresh_from_db()
    assert (machine.is_active, ApiToken.objects.filter(user=machine, revoked_at=None).count()) == (False, 0)
    assert not Membership.objects.filter(user=machine).exists()
    assert not ProjectMembership.objects.filter(user=machine).exists()
    assert boss.get(MACHINES).json()["items"] == []


def test_a_role_taken_from_it_counts_from_the_next_request(
    owner: User, machine: User, project: Project, api_of: ApiOf
) -> None:
    _token, plain = token_of(machine)
    api, path = bearer(plain), f"{MACHINES}/{machine.public_id}"
    assert api.get(f"/api/v1/projects/{project.slug}").status_code == 200
    changed = api_of(owner).patch(path, {"project_roles": {}, "name": "Pipeline"}, format="json").json()
    assert (changed["project_roles"], changed["name"]) == ({}, "Pipeline")
    assert api.get(f"/api/v1/projects/{project.slug}").status_code == 404


def test_it_is_no_member_among_people_and_never_an_owner(
    owner: User, machine: User, organization: Organization, project: Project, api_of: ApiOf, actor_of: ActorOf
) -> None:
    listed = api_of(owner).get(f"/api/v1/projects/{project.slug}/members").json()["items"]
    assert [item["email"] for item in listed] == ["owner@acme.example"]
    with refused("not_found"):
        actions.set_membership(actor_of(owner), organization=organization, user=machine, role="owner")
    disguised = machine.public_id.replace("sa_", "user_")
    wish = {"organization_role": "owner"}
    assert (
        api_of(owner).patch(f"/api/v1/projects/acme-prod/members/{disguised}", wish, format="json").status_code == 404
    )
    added = {"email": machine.email, "project_role": "admin"}
    assert api_of(owner).post("/api/v1/projects/acme-prod/members", added, format="json").status_code == 422
    with refused("last_owner"):
        actions.remove_membership(actor_of(owner), organization=organization, user=owner)
    Membership.objects.filter(user=machine).update(role="owner")  # as if somebody wrote it
    with refused("last_owner"):
        actions.remove_membership(actor_of(owner), organization=organization, user=owner)


def test_nobody_with_less_makes_a_token_of_a_stronger_one(
    owner: User, admin: User, organization: Organization, api_of: ApiOf, actor_of: ActorOf
) -> None:
    strong = machines.create(actor_of(owner), organization=organization, name="Root", role="admin")
    assert api_of(admin).post(f"{MACHINES}/{strong.public_id}/tokens", {"name": "x"}, format="json").status_code == 201
    Membership.objects.filter(user=strong).update(role="owner")
    refusal = api_of(admin).post(f"{MACHINES}/{strong.public_id}/tokens", {"name": "y"}, format="json")
    assert (refusal.status_code, refusal.json()["code"]) == (403, "permission_denied")


def test_a_scoped_token_makes_and_lists_none_that_is_stronger(owner: User, machine: User, api_of: ApiOf) -> None:
    strong, _plain = token_of(machine, name="strong")
    path, api = f"{MACHINES}/{machine.public_id}/tokens", api_of(owner, "write")
    assert api.post(path, {"name": "all"}, format="json").status_code == 403
    assert api.post(path, {"name": "some", "scopes": ["read"]}, format="json").status_code == 201
    assert [item["name"] for item in api.get(path).json()["items"]] == ["some"]
    assert api.delete(f"{path}/{strong.public_id}").status_code == 404
    assert api_of(owner).delete(f"{path}/{strong.public_id}").status_code == 204
    assert api_of(owner, "project:acme-prod").get(path).status_code == 403
    assert api_of(owner, "read").get(path).status_code == 403


def test_another_organization_s_are_not_there(owner: User, machine: User, stranger: User, api_of: ApiOf) -> None:
    foreign = f"/api/v1/organizations/other/service-accounts/{machine.public_id}"
    assert api_of(stranger).get(foreign).status_code == 404
    assert api_of(stranger).get(f"{MACHINES}/{machine.public_id}").status_code == 404
    assert api_of(owner).get(f"{MACHINES}/{machine.public_id}").status_code == 200
    for slug, pointer in (("other-prod", "other-prod"), ("a/b", "a~1b"), ("x' OR ''='", "x' OR ''='")):
        wish = {"name": "x", "project_roles": {slug: "admin"}}
        refusal = api_of(owner).post(MACHINES, wish, format="json")
        assert (refusal.status_code, refusal.json()["errors"][0]["pointer"]) == (422, f"/project_roles/{pointer}")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "ci"])
def test_it_refuses_a_name_that_makes_no_sense_or_is_taken(
    owner: User, machine: User, organization: Organization, actor_of: ActorOf, name: str
) -> None:
    with pytest.raises(Problem) as refusal:
        machines.create(actor_of(owner), organization=organization, name=name, role="member")
    assert refusal.value.errors[0].pointer == "/name"
    again = machines.change(actor_of(owner), organization=organization, machine=machine, name="ci")
    assert again.name == "ci"


def test_an_order_may_be_repeated_with_its_key(owner: User, api_of: ApiOf) -> None:
    api, wish = api_of(owner), {"name": "CI"}
    first = api.post(MACHINES, wish, format="json", headers={"Idempotency-Key": "k-1"})
    again = api.post(MACHINES, wish, format="json", headers={"Idempotency-Key": "k-1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert api.get(MACHINES).json()["total_count"] == 1


def test_the_pages_make_one_its_token_and_take_both_away(
    owner: User, project: Project, client_of: Callable[[User], Client]
) -> None:
    client, pages = client_of(owner), "/organizations/acme/service-accounts"
    made = client.post(pages, {"name": "Terraform", "role": "member", "in-acme-prod": "developer"})
    machine = User.objects.get(name="Terraform")
    path = f"{pages}/{machine.public_id}"
    assert made["Location"] == path
    assert machines.project_roles_of(machine) == {"acme-prod": "developer"}
    shown = client.post(path, {"name": "apply", "access": "write", "projects": ["acme-prod"], "expires": "30"})
    token = ApiToken.objects.get(user=machine)
    assert (shown.status_code, token.scopes) == (200, ["project:acme-prod", "write"])
    assert "no-store" in shown["Cache-Control"]
    assert shown.content.decode().count("arc_") > 1
    assert client.get(path).content.decode().count("arc_") == 1  # the hint alone
    assert "Terraform" in client.get(pages).content.decode()
    saved = client.post(f"{path}/change", {"name": "Terraform 2", "role": "auditor", "in-acme-prod": ""})
    assert saved.status_code == 302
    assert (machines.role_of(machine), ProjectMembership.objects.filter(user=machine).exists()) == ("auditor", False)
    client.post(f"{path}/active", {"active": "no"})
    machine.refresh_from_db()
    assert machine.is_active is False
    client.post(f"{path}/tokens/{token.public_id}/revoke")
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert client.post(f"{path}/delete", {"confirm": "wrong"}).status_code == 422
    assert client.post(f"{path}/delete", {"confirm": "Terraform 2"})["Location"] == pages
    assert client.get(path).status_code == 404


def test_the_shell_makes_a_token_by_its_id(machine: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("token", machine.public_id, "--scope", "read")
    me = bearer(capsys.readouterr().out.split()[-1]).get("/api/v1/me").json()
    assert (me["kind"], me["scopes"]) == ("service_account", ["read"])
    for nobody in (machine.email, machine.public_id.replace("sa_", "user_")):
        with pytest.raises(CommandError, match="Nobody here"):
            call_command("token", nobody)
