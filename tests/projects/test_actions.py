"""Organizations, projects and members: made, changed, removed, each with its audit row."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actors import SYSTEM, Actor
from portal.core.errors import Problem
from portal.projects import actions, members
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from tests.fixtures import person

ActorOf = Callable[..., Actor]


def role_of(user: User) -> str | None:
    return Membership.objects.filter(user=user).values_list("role", flat=True).first()


def test_a_project_gets_its_slug_from_its_name(owner: User, organization: Organization, actor_of: ActorOf) -> None:
    first = actions.create_project(actor_of(owner), organization=organization, name=" Web Shop ")
    second = actions.create_project(actor_of(owner), organization=organization, name="Web shop")
    assert (first.slug, first.name) == ("web-shop", "Web Shop")
    assert second.slug.startswith("web-shop-")
    event = AuditEvent.objects.get(target_id=first.id)
    assert (event.action, event.organization_id, event.project_id) == ("project.create", organization.id, first.id)


@pytest.mark.parametrize(
    ("name", "slug", "pointer"),
    [
        ("", None, "/name"),
        ("x" * 121, None, "/name"),
        ("Shop", "Shop", "/slug"),
        ("Shop", "9shop", "/slug"),
        ("Shop", "shop-", "/slug"),
        ("Shop", "new", "/slug"),
        ("Shop", "other-prod", "/slug"),
    ],
)
def test_it_refuses_a_bad_name_or_slug(
    owner: User,
    organization: Organization,
    other_project: Project,
    actor_of: ActorOf,
    name: str,
    slug: str | None,
    pointer: str,
) -> None:
    with pytest.raises(Problem) as refusal:
        actions.create_project(actor_of(owner), organization=organization, name=name, slug=slug)
    assert refusal.value.errors[0].pointer == pointer
    assert not organization.projects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("name", ["日本", "123", "---", "new"])
def test_any_name_leads_to_a_slug(owner: User, organization: Organization, actor_of: ActorOf, name: str) -> None:
    project = actions.create_project(actor_of(owner), organization=organization, name=name)
    assert project.slug[0].isalpha()
    assert project.slug != "new"


def test_owners_and_admins_make_projects_and_developers_do_not(
    owner: User, admin: User, developer: User, organization: Organization, actor_of: ActorOf
) -> None:
    for user in (owner, admin):
        actions.create_project(actor_of(user), organization=organization, name="P")
    with pytest.raises(Problem, match="permission_denied"):
        actions.create_project(actor_of(developer), organization=organization, name="P")
    assert AuditEvent.objects.get(outcome="denied").actor_id == developer.id


def test_the_provider_makes_organizations_and_owners_do_not(owner: User, operator: User, actor_of: ActorOf) -> None:
    made = actions.create_organization(actor_of(operator), name="New Customer")
    assert made.slug == "new-customer"
    with pytest.raises(Problem, match="permission_denied"):
        actions.create_organization(actor_of(owner), name="Mine")
    assert AuditEvent.objects.filter(action="organization.create", outcome="denied").count() == 1


@pytest.mark.parametrize(
    ("by", "whom", "role", "allowed"),
    [
        ("owner", "member", "owner", True),
        ("owner", "admin", "member", True),
        ("admin", "member", "admin", True),
        ("admin", "member", "billing", True),
        ("admin", "member", "owner", False),
        ("admin", "owner", "member", False),
        ("developer", "member", "admin", False),
        ("auditor", "member", "auditor", False),
        ("operator", "member", "owner", False),
    ],
)
def test_nobody_gives_or_takes_a_role_above_their_own(
    by: str,
    whom: str,
    role: str,
    allowed: bool,
    organization: Organization,
    actor_of: ActorOf,
    request: pytest.FixtureRequest,
) -> None:
    person("second-owner@acme.example", organization, "owner")
    actor, user = actor_of(request.getfixturevalue(by)), request.getfixturevalue(whom)
    before = role_of(user)
    if allowed:
        actions.set_membership(actor, organization=organization, user=user, role=role)
        assert role_of(user) == role
        assert AuditEvent.objects.get(action="organization.set_role").changes == {"role": [before, role]}
        return
    with pytest.raises(Problem, match="permission_denied"):
        actions.set_membership(actor, organization=organization, user=user, role=role)
    assert role_of(user) == before
    assert AuditEvent.objects.filter(outcome="denied").count() == 1


def test_a_limited_token_changes_no_members(owner: User, member: User, project: Project, actor_of: ActorOf) -> None:
    with pytest.raises(Problem, match="permission_denied"):
        actions.set_membership(
            actor_of(owner, "project:acme-prod"), organization=project.organization, user=member, role="admin"
        )
    assert role_of(member) == "member"


def test_the_last_owner_stays(owner: User, admin: User, organization: Organization, actor_of: ActorOf) -> None:
    actor = actor_of(owner)
    with pytest.raises(Problem, match="last_owner"):
        actions.set_membership(actor, organization=organization, user=owner, role="admin")
    with pytest.raises(Problem, match="last_owner"):
        actions.remove_membership(actor, organization=organization, user=owner)
    actions.set_membership(actor, organization=organization, user=admin, role="owner")
    actions.remove_membership(actor, organization=organization, user=owner)
    assert role_of(owner) is None


def test_removing_somebody_takes_their_project_roles_too(
    owner: User, developer: User, stranger: User, project: Project, actor_of: ActorOf
) -> None:
    actions.remove_membership(actor_of(owner), organization=project.organization, user=developer)
    assert not ProjectMembership.objects.filter(user=developer).exists()
    with pytest.raises(Problem, match="not_found"):
        actions.remove_membership(actor_of(owner), organization=project.organization, user=stranger)
    assert AuditEvent.objects.get(action="organization.remove_member").target_id == developer.id


def test_people_may_leave_but_their_tokens_do_not_take_them_out(
    developer: User, viewer: User, organization: Organization, actor_of: ActorOf
) -> None:
    with pytest.raises(Problem, match="permission_denied"):
        actions.remove_membership(actor_of(developer, "write"), organization=organization, user=developer)
    with pytest.raises(Problem, match="permission_denied"):
        actions.remove_membership(actor_of(developer), organization=organization, user=viewer)
    actions.remove_membership(actor_of(developer), organization=organization, user=developer)
    assert role_of(developer) is None
    assert role_of(viewer) == "member"


def test_a_project_role_is_for_members_of_the_organization(
    owner: User, member: User, stranger: User, project: Project, actor_of: ActorOf
) -> None:
    actions.set_project_role(actor_of(owner), project=project, user=member, role="developer")
    assert project.memberships.get(user=member).role == "developer"
    with pytest.raises(Problem, match="not_a_member"):
        actions.set_project_role(actor_of(owner), project=project, user=stranger, role="viewer")
    actions.set_project_role(actor_of(owner), project=project, user=member, role=None)
    assert not project.memberships.filter(user=member).exists()
    assert AuditEvent.objects.filter(action="project.set_role").count() == 2
    with pytest.raises(Problem, match="invalid_arguments"):
        actions.set_project_role(actor_of(owner), project=project, user=member, role="root")


def test_a_developer_gives_no_roles(developer: User, member: User, project: Project, actor_of: ActorOf) -> None:
    with pytest.raises(Problem, match="permission_denied"):
        actions.set_project_role(actor_of(developer), project=project, user=member, role="viewer")
    assert AuditEvent.objects.get().outcome == "denied"


def test_only_people_of_the_organization_are_added_to_a_project(
    admin: User, member: User, stranger: User, project: Project, actor_of: ActorOf
) -> None:
    def add(email: str) -> User:
        return members.add_member(actor_of(admin), project=project, email=email, project_role="developer")

    for address in (stranger.email, "nobody@example.org"):
        with pytest.raises(Problem, match="invalid_arguments"):
            add(address)
    assert not project.memberships.filter(user=stranger).exists()
    add(member.email.upper())
    assert project.memberships.get(user=member).role == "developer"
    assert project.organization.memberships.get(user=member).role == "member"


def test_roles_are_set_both_or_neither(admin: User, member: User, project: Project, actor_of: ActorOf) -> None:
    both = {"organization_role": "owner", "project_role": "developer"}
    with pytest.raises(Problem, match="permission_denied"):
        members.set_roles(actor_of(admin), project=project, user=member, **both)
    assert not project.memberships.filter(user=member).exists()
    members.set_roles(actor_of(admin), project=project, user=member, **{**both, "organization_role": "auditor"})
    assert project.memberships.get(user=member).role == "developer"
    assert project.organization.memberships.get(user=member).role == "auditor"


def test_audit_rows_hold_no_mail_address(owner: User, member: User, project: Project, actor_of: ActorOf) -> None:
    actions.set_membership(actor_of(owner), organization=project.organization, user=member, role="admin")
    actions.set_project_role(actor_of(owner), project=project, user=member, role="viewer")
    assert AuditEvent.objects.count() == 2
    assert not any("@" in str(event.__dict__) for event in AuditEvent.objects.all())


@pytest.mark.django_db(transaction=True)
def test_an_owner_who_leaves_waits_for_the_other_who_is_just_leaving(eventually: Callable[..., Any]) -> None:
    organization = Organization.objects.create(slug="acme", name="Acme")
    first, second = (person(f"owner{n}@acme.example", organization, "owner") for n in range(2))
    codes: list[str] = []

    def leave() -> None:
        try:
            actions.remove_membership(SYSTEM, organization=organization, user=second)
            codes.append("left")
        except Problem as problem:
            codes.append(problem.code)
        finally:
            connection.close()

    thread = threading.Thread(target=leave)
    with transaction.atomic():
        actions.remove_membership(SYSTEM, organization=organization, user=first)
        thread.start()
        eventually(lambda: codes or somebody_waits_for_us())
    thread.join()
    assert codes == ["last_owner"]
    assert organization.memberships.get(role="owner").user == second


def somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])
