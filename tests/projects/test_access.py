"""Who reaches which project and organization, as tables: roles × permissions, scopes × permissions."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import QuerySet

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actors import SYSTEM, Actor
from portal.core.errors import Problem
from portal.projects import access, scopes
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from tests.fixtures import person

ActorOf = Callable[..., Actor]
LOOK = {"project.read", "service.read"}
BUILD = LOOK | {"service.create", "service.operate", "service.spend", "service.secrets", "service.delete"}
LEAD = BUILD | {"project.edit", "project.members", "audit.read", "quota.request"}
AUDIT = LOOK | {"organization.read", "organization.people", "audit.read", "costs.read"}
GOVERN = LEAD | AUDIT | {"organization.edit", "organization.members", "project.create"}
GOVERN |= {"organization.machines", "organization.webhooks"}
ALL = GOVERN | {"organization.close", "organization.transfer", "provider.operate"}

ROLES = {
    "owner": GOVERN | {"organization.close", "organization.transfer"},
    "admin": GOVERN,
    "auditor": AUDIT,
    "developer": BUILD | {"organization.read"},
    "viewer": LOOK | {"organization.read"},
    "billing": {"organization.read", "costs.read"},
    "member": {"organization.read"},
    "stranger": set(),
    "operator": AUDIT | {"provider.operate"},
    "support": LOOK | {"organization.read"},
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_in_a_project(role: str, project: Project, actor_of: ActorOf, request: Any) -> None:
    actor = actor_of(request.getfixturevalue(role))
    assert access.permissions_in(actor, project) == ROLES[role]
    for permission in ALL:
        expected = permission in ROLES[role]
        assert access.visible_projects(actor, permission).contains(project) is expected, permission


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_a_project_or_gets_the_right_refusal(
    role: str, project: Project, actor_of: ActorOf, request: Any
) -> None:
    actor = actor_of(request.getfixturevalue(role))
    for permission in sorted(ALL):
        if permission in ROLES[role] and "project.read" in ROLES[role]:
            assert access.access_project(actor, project.slug, permission) == project
            continue
        with pytest.raises(Problem) as refusal:
            access.access_project(actor, project.slug, permission)
        seen = "project.read" in ROLES[role]
        assert refusal.value.code == ("permission_denied" if seen else "not_found"), permission


def test_project_admins_lead_their_project(organization: Organization, project: Project, actor_of: ActorOf) -> None:
    lead = person("lead@acme.example", organization, "member", project, "admin")
    second = Project.objects.create(organization=organization, slug="acme-test", name="Test")
    assert access.permissions_in(actor_of(lead), project) == LEAD | {"organization.read"}
    assert access.permissions_in(actor_of(lead), second) == {"organization.read"}
    assert list(access.visible_projects(actor_of(lead), "project.members")) == [project]


SCOPES = {
    ("read",): AUDIT,
    ("write",): GOVERN | {"organization.close", "organization.transfer"},
    ("project:acme-prod",): LEAD | {"organization.read"},
    ("read", "project:acme-prod"): LOOK | {"organization.read", "audit.read"},
    ("write", "project:acme-prod"): LEAD | {"organization.read"},
    ("project:other-prod",): set(),
    ("family:databases",): BUILD | {"organization.read"},
    ("read", "family:databases"): LOOK | {"organization.read"},
    ("family:databases", "project:acme-prod"): BUILD | {"organization.read"},
    ("family:databases", "project:acme-test"): set(),
    ("nonsense",): set(),
}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_leaves_of_an_owner(scope: tuple[str, ...], owner: User, project: Project, actor_of: ActorOf) -> None:
    actor = actor_of(owner, *scope)
    assert access.permissions_in(actor, project) == SCOPES[scope]
    for permission in ALL:
        seen = access.visible_projects(actor, permission).contains(project)
        assert seen is (permission in SCOPES[scope]), permission


@pytest.mark.parametrize(
    "scope", [("project:acme-prod",), ("read", "family:databases"), ("write", "project:acme-prod")]
)
def test_a_limited_token_keeps_the_name_of_the_organization_alone(
    scope: tuple[str, ...], owner: User, project: Project, actor_of: ActorOf
) -> None:
    actor = actor_of(owner, *scope)
    assert access.permissions_in_organization(actor, project.organization) == {"organization.read"}
    assert not access.visible_organizations(actor, "audit.read").exists()
    assert access.visible_organizations(actor_of(owner, "read"), "audit.read").exists()


def test_no_scope_gives_what_the_role_does_not_have(viewer: User, project: Project, actor_of: ActorOf) -> None:
    assert access.permissions_in(actor_of(viewer, "write"), project) == ROLES["viewer"]


def test_a_token_for_a_project_sees_nothing_of_its_owner_s_other_organization(
    owner: User, project: Project, other_project: Project, actor_of: ActorOf
) -> None:
    Membership.objects.create(user=owner, organization=other_project.organization, role="owner")
    everywhere, here = actor_of(owner), actor_of(owner, "project:acme-prod")
    assert set(access.visible_projects(everywhere)) == {project, other_project}
    assert list(access.visible_projects(here)) == [project]
    assert list(access.visible_organizations(here)) == [project.organization]
    with pytest.raises(Problem, match="not_found"):
        access.access_organization(here, "other")
    with pytest.raises(Problem, match="not_found"):
        access.access_project(here, other_project.public_id)


def test_roles_of_one_organization_do_not_reach_into_another(
    owner: User, project: Project, other_project: Project, actor_of: ActorOf
) -> None:
    Membership.objects.create(user=owner, organization=other_project.organization, role="member")
    ProjectMembership.objects.create(user=owner, project=other_project, role="viewer")
    assert access.permissions_in(actor_of(owner), project) >= GOVERN
    assert access.permissions_in(actor_of(owner), other_project) == ROLES["viewer"]


def test_family_scopes_are_told_to_who_asks(owner: User, actor_of: ActorOf) -> None:
    assert scopes.allowed_families(actor_of(owner)) is None
    assert scopes.allowed_families(actor_of(owner, "read")) is None
    assert scopes.allowed_families(actor_of(owner, "read", "family:iot")) == {"iot"}


@pytest.mark.parametrize("role", ["owner", "developer", "operator", "stranger"])
def test_visible_projects_is_one_query_and_serves_as_a_subquery(
    role: str, project: Project, actor_of: ActorOf, request: Any, django_assert_num_queries: Any
) -> None:
    actor = actor_of(request.getfixturevalue(role))
    with django_assert_num_queries(1):
        visible: QuerySet[Project] = access.visible_projects(actor, "service.read")
        list(Organization.objects.filter(projects__in=visible))


def test_several_roles_show_a_project_once(owner: User, project: Project, actor_of: ActorOf) -> None:
    ProjectMembership.objects.create(user=owner, project=project, role="viewer")
    assert list(access.visible_projects(actor_of(owner))) == [project]


def test_a_project_is_named_by_slug_or_exact_id_alone(owner: User, project: Project, actor_of: ActorOf) -> None:
    actor = actor_of(owner)
    assert access.access_project(actor, project.slug) == access.access_project(actor, project.public_id) == project
    wrong = [
        str(project.id),
        project.public_id.lower(),
        project.public_id + " ",
        project.public_id.replace("proj_", "org_"),
        project.slug.upper(),
        "acme-prod\0",
        "",
        project.name,
    ]
    for ref in wrong:
        with pytest.raises(Problem, match="not_found"):
            access.access_project(actor, ref)


def test_a_denied_try_is_recorded_and_an_unseen_one_is_not(
    viewer: User, stranger: User, project: Project, actor_of: ActorOf
) -> None:
    with pytest.raises(Problem) as refusal:
        access.access_project(actor_of(viewer), project.slug, "service.delete")
    assert refusal.value.status == 403
    assert refusal.value.extra == {"action": "service.delete", "resource": "acme-prod"}
    with pytest.raises(Problem, match="not_found"):
        access.access_project(actor_of(stranger), project.slug, "service.delete")
    event = AuditEvent.objects.get()
    assert (event.outcome, event.action, event.project_id) == ("denied", "service.delete", project.id)
    assert (event.actor_id, event.address, event.request_id) == (viewer.id, "192.0.2.7", "test-1")


def test_the_platform_itself_may_do_all(project: Project) -> None:
    assert access.permissions_in(SYSTEM, project) == ALL
    assert access.access_project(SYSTEM, project.slug, "project.edit") == project


def test_the_anonymous_may_do_nothing(project: Project) -> None:
    nobody = Actor("anonymous", None, "Anonymous", scopes=frozenset())
    assert access.permissions_in(nobody, project) == frozenset()
    assert not access.visible_projects(nobody).exists()


def test_the_provider_s_people_read_everywhere_but_list_their_own(
    operator: User, support: User, project: Project, actor_of: ActorOf
) -> None:
    for user in (operator, support):
        assert access.access_project(actor_of(user), project.slug) == project
        assert not access.own_projects(actor_of(user)).exists()
        assert not access.own_organizations(actor_of(user)).exists()
