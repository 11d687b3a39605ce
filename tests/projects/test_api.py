"""The API of the caller, organizations, projects and members."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from tests.fixtures import person

ApiOf = Callable[..., APIClient]
API = "/api/v1"


def without_trace(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("trace_id", "instance")}


def test_me_shows_where_one_belongs_to(developer: User, other_project: Project, api_of: ApiOf) -> None:
    body = api_of(developer).get(f"{API}/me").json()
    assert (body["kind"], body["id"], body["email"]) == ("user", developer.public_id, developer.email)
    assert [(o["slug"], o["role"]) for o in body["organizations"]] == [("acme", "member")]
    assert [(p["slug"], p["role"], p["organization_slug"]) for p in body["projects"]] == [
        ("acme-prod", "developer", "acme")
    ]


@pytest.mark.parametrize(
    ("role", "shown"), [("owner", "admin"), ("admin", "admin"), ("auditor", "viewer"), ("viewer", "viewer")]
)
def test_the_role_shown_is_what_all_roles_come_to(
    role: str, shown: str, project: Project, api_of: ApiOf, request: pytest.FixtureRequest
) -> None:
    body = api_of(request.getfixturevalue(role)).get(f"{API}/projects").json()
    assert [item["role"] for item in body["items"]] == [shown]


def test_lists_hold_what_one_is_a_member_of(
    owner: User, stranger: User, operator: User, project: Project, api_of: ApiOf
) -> None:
    def slugs(user: User, what: str) -> list[str]:
        body = api_of(user).get(f"{API}/{what}").json()
        assert body["total_count"] == len(body["items"])
        assert body["next_cursor"] is None
        assert all({"id", "slug", "name"} <= item.keys() for item in body["items"])
        return [item["slug"] for item in body["items"]]

    assert slugs(owner, "organizations") == ["acme"]
    assert slugs(stranger, "organizations") == ["other"]
    assert slugs(operator, "organizations") == []
    assert slugs(owner, "projects") == ["acme-prod"]
    assert slugs(stranger, "projects") == ["other-prod"]
    assert slugs(operator, "projects") == []


def test_a_scoped_token_shows_the_places_of_its_scope(
    owner: User, project: Project, other_organization: Organization, api_of: ApiOf
) -> None:
    Membership.objects.create(user=owner, organization=other_organization, role="owner")
    Project.objects.create(organization=other_organization, slug="other-2", name="Other")
    body = api_of(owner, "project:acme-prod").get(f"{API}/me").json()
    assert [o["slug"] for o in body["organizations"]] == ["acme"]
    assert [p["slug"] for p in body["projects"]] == ["acme-prod"]
    assert body["scopes"] == ["project:acme-prod"]


def test_what_is_foreign_answers_like_what_is_not_there(owner: User, other_project: Project, api_of: ApiOf) -> None:
    client, other = api_of(owner), other_project.organization
    for path, unknown in [
        (f"projects/{other_project.slug}", "projects/no-such"),
        (f"projects/{other_project.public_id}", f"projects/proj_{'0' * 26}"),
        (f"projects/{other_project.slug}/members", "projects/no-such/members"),
        (f"organizations/{other.slug}", "organizations/no-such"),
        (f"organizations/{other.public_id}", f"organizations/org_{'0' * 26}"),
        (f"audit?project={other_project.slug}", "audit?project=no-such"),
        (f"audit?organization={other.public_id}", "audit?organization=no-such"),
    ]:
        foreign, missing = client.get(f"{API}/{path}"), client.get(f"{API}/{unknown}")
        assert foreign.status_code == missing.status_code == 404, path
        assert without_trace(foreign.json()) == without_trace(missing.json())
        assert foreign.json()["code"] == "not_found"


def test_a_foreign_organization_in_a_body_answers_like_an_unknown_one(
    owner: User, other_organization: Organization, api_of: ApiOf
) -> None:
    client = api_of(owner)
    bodies = [{"name": "x", "organization": ref} for ref in ("other", other_organization.public_id, "no-such")]
    answers = [client.post(f"{API}/projects", body, format="json") for body in bodies]
    assert {answer.status_code for answer in answers} == {404}
    assert len({str(without_trace(answer.json())) for answer in answers}) == 1
    assert not other_organization.projects.exists()


def test_a_project_is_made_and_shown(owner: User, api_of: ApiOf) -> None:
    client = api_of(owner)
    made = client.post(f"{API}/projects", {"name": "Web shop", "organization": "acme"}, format="json")
    assert made.status_code == 201
    body = made.json()
    assert (body["slug"], body["role"]) == ("web-shop", "admin")
    assert client.get(made["Location"]).json() == body
    assert client.get(f"{API}/projects/web-shop").json() == body


def test_a_developer_makes_no_project(developer: User, api_of: ApiOf) -> None:
    answer = api_of(developer).post(f"{API}/projects", {"name": "x", "organization": "acme"}, format="json")
    assert answer.status_code == 403
    assert answer.json()["action"] == "project.create"
    assert AuditEvent.objects.get(outcome="denied").action == "project.create"


def test_access_is_checked_before_the_rest_of_the_body(
    owner: User, developer: User, stranger: User, project: Project, api_of: ApiOf
) -> None:
    path = f"{API}/projects/acme-prod/members"
    assert api_of(stranger).post(path, {"nonsense": 1}, format="json").status_code == 404
    assert api_of(developer).post(path, {"nonsense": 1}, format="json").status_code == 403
    assert api_of(owner).post(path, {"nonsense": 1}, format="json").status_code == 422


def test_the_same_idempotency_key_makes_one_project(owner: User, api_of: ApiOf) -> None:
    client, key = api_of(owner), {"Idempotency-Key": "once"}
    body = {"name": "Web shop", "organization": "acme"}
    answers = [client.post(f"{API}/projects", body, format="json", headers=key).json() for _try in range(2)]
    assert answers[0] == answers[1]
    assert Project.objects.count() == 1


WRITES = [
    ("projects", "post", {"name": "x", "organization": "acme"}, Project),
    ("projects/acme-prod/members", "post", {"email": "member@acme.example"}, Membership),
    ("projects/acme-prod/members/{member}", "patch", {"project_role": "viewer"}, ProjectMembership),
]


@pytest.mark.parametrize(("path", "method", "body", "model"), WRITES)
def test_every_model_field_posted_changes_nothing_undeclared(
    path: str,
    method: str,
    body: dict[str, Any],
    model: Any,
    owner: User,
    member: User,
    project: Project,
    stranger: User,
    api_of: ApiOf,
) -> None:
    client, before = api_of(owner), snapshot()
    fields = {field.name for field in [*model._meta.get_fields(), *User._meta.get_fields()]}
    declared = set(body) | {"name", "slug", "organization", "email", "organization_role", "project_role"}
    for name in fields - declared:
        answer = getattr(client, method)(
            f"{API}/{path.format(member=member.public_id)}", {**body, name: str(stranger.id)}, format="json"
        )
        assert answer.status_code == 422, name
        assert answer.json()["errors"][0]["pointer"] == f"/{name}"
    assert snapshot() == before


def snapshot() -> list[Any]:
    models: list[Any] = [User, Organization, Project, Membership, ProjectMembership]
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_members_are_added_changed_and_removed(owner: User, member: User, project: Project, api_of: ApiOf) -> None:
    client, path = api_of(owner), f"{API}/projects/acme-prod/members"
    added = client.post(path, {"email": member.email.upper(), "project_role": "viewer"}, format="json")
    assert added.status_code == 201
    assert (added.json()["organization_role"], added.json()["project_role"]) == ("member", "viewer")
    one = f"{path}/{member.public_id}"
    assert client.patch(one, {"project_role": "developer"}, format="json").json()["project_role"] == "developer"
    assert client.patch(one, {"organization_role": "billing"}, format="json").json()["project_role"] == "developer"
    assert client.delete(one).status_code == 204
    assert client.delete(one).status_code == 404
    assert client.patch(one, {"project_role": "viewer"}, format="json").json()["project_role"] == "viewer"
    assert client.patch(one, {"project_role": None}, format="json").json()["project_role"] is None
    assert client.delete(one).status_code == 404


def test_who_is_taken_out_of_a_project_stays_in_the_organization_and_its_other_projects(
    owner: User, developer: User, viewer: User, project: Project, api_of: ApiOf
) -> None:
    elsewhere = Project.objects.create(organization=project.organization, slug="acme-test", name="Test")
    ProjectMembership.objects.create(project=elsewhere, user=developer, role="viewer")
    path = f"{API}/projects/acme-prod/members"
    assert api_of(viewer).delete(f"{path}/{developer.public_id}").status_code == 403
    assert api_of(owner).delete(f"{path}/{developer.public_id}").status_code == 204
    assert api_of(developer).get(path).status_code == 404
    assert api_of(developer).get(f"{API}/projects/acme-test").status_code == 200
    assert project.organization.memberships.filter(user=developer).exists()
    changed = AuditEvent.objects.get(action="project.set_role")
    assert (changed.target_id, changed.changes) == (developer.id, {"role": ["developer", None]})
    assert api_of(viewer).delete(f"{path}/{viewer.public_id}").status_code == 204  # one's own
    assert project.organization.memberships.filter(user=viewer).exists()


def test_who_belongs_by_their_role_in_the_organization_is_not_taken_out_of_a_project(
    owner: User, admin: User, project: Project, api_of: ApiOf
) -> None:
    refused = api_of(owner).delete(f"{API}/projects/acme-prod/members/{admin.public_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "belongs_by_organization")
    assert api_of(admin).get(f"{API}/projects/acme-prod/members").status_code == 200


def test_an_admin_makes_no_owner_and_the_try_is_kept(
    admin: User, member: User, project: Project, api_of: ApiOf
) -> None:
    one, wish = f"{API}/projects/acme-prod/members/{member.public_id}", {"organization_role": "owner"}
    assert api_of(admin).patch(one, wish, format="json").status_code == 403
    assert AuditEvent.objects.get(outcome="denied").actor_id == admin.id
    assert project.organization.memberships.get(user=member).role == "member"


def test_adding_tells_nobody_who_has_an_account_here(
    owner: User, stranger: User, project: Project, api_of: ApiOf
) -> None:
    robot = User.objects.create_machine(name="robot", organization_id=project.organization_id)
    Membership.objects.create(user=robot, organization=project.organization, role="member")
    shut_out = person("gone@acme.example", project.organization, "member")
    User.objects.filter(pk=shut_out.pk).update(is_active=False)
    lead = person("lead@acme.example", project.organization, "member", project, "admin")
    for user in (owner, lead):
        bodies = []
        for address in (stranger.email, "no-one@other.example", robot.email, shut_out.email):
            client, key = api_of(user), {"Idempotency-Key": address}
            answer = client.post(f"{API}/projects/acme-prod/members", {"email": address}, format="json", headers=key)
            assert answer.status_code == 422
            bodies.append({**answer.json(), "trace_id": ""})
        assert [body["errors"][0]["code"] for body in bodies] == ["not_a_member"] * 4
        assert all(body == bodies[0] for body in bodies)
    assert not project.memberships.filter(user__in=[stranger, robot, shut_out]).exists()


def test_viewers_see_who_shares_the_project_and_admins_see_everybody(
    owner: User, viewer: User, billing: User, project: Project, api_of: ApiOf
) -> None:
    def emails(user: User) -> set[str]:
        body = api_of(user).get(f"{API}/projects/acme-prod/members").json()
        return {item["email"] for item in body["items"]}

    assert emails(viewer) == {owner.email, viewer.email}
    assert emails(owner) == {owner.email, viewer.email, billing.email}


def test_lists_take_as_many_queries_for_many_rows(
    owner: User, organization: Organization, api_of: ApiOf, django_assert_num_queries: Any
) -> None:
    client = api_of(owner)
    Project.objects.bulk_create(Project(organization=organization, slug=f"p{n}", name="P") for n in range(2))
    client.get(f"{API}/projects")
    with django_assert_num_queries(3):
        client.get(f"{API}/projects")
    Project.objects.bulk_create(Project(organization=organization, slug=f"q{n}", name="P") for n in range(100))
    with django_assert_num_queries(3):
        assert len(client.get(f"{API}/projects?limit=100").json()["items"]) == 100
