"""Moving a service to another project of its organization: who may, what hinders it, what comes along."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters.models import Cluster
from portal.core import registry
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects import quotas
from portal.projects.models import Organization, Project, ProjectMembership
from portal.resources import actions, moving
from portal.resources.access import visible_resources
from portal.resources.models import Change, Link, Operation, Resource
from tests.fixtures import person
from tests.resources.conftest import turn
from tests.resources.doubles import TOY, MemoryBackend

pytestmark = pytest.mark.django_db
Order, ActorOf = Callable[..., Operation], Callable[..., Actor]
ClientOf, ApiOf = Callable[[User], Client], Callable[..., APIClient]


@pytest.fixture
def lab(organization: Organization, developer: User) -> Project:
    """A second project of the same organization, in which the developer is one too."""
    made = Project.objects.create(organization=organization, slug="acme-lab", name="Acme laboratory")
    ProjectMembership.objects.create(user=developer, project=made, role="developer")
    return made


def refused(actor: Actor, resource: Resource, project: Project) -> Problem:
    with pytest.raises(Problem) as problem:
        moving.move(actor, resource, project=project)
    assert Resource.objects.get(id=resource.id).project_id == resource.project_id
    return problem.value


def test_it_keeps_everything_but_its_project(
    running: Resource, lab: Project, actor: Actor, project: Project, viewer: User, actor_of: ActorOf
) -> None:
    before = Resource.objects.values().get(id=running.id)
    moving.move(actor, running, project=lab)
    after = Resource.objects.values().get(id=running.id)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"project_id"}
    assert after["project_id"] == lab.id
    assert turn(running).state == "running"
    assert not visible_resources(actor_of(viewer)).filter(id=running.id).exists()
    assert running.operations.exists()
    assert running.events.filter(reason="Moved").exists()
    assert Change.objects.filter(resource=running).count() == 2


def test_it_is_told_in_both_projects(running: Resource, lab: Project, actor: Actor, project: Project) -> None:
    moving.move(actor, running, project=lab)
    rows = AuditEvent.objects.filter(action="service.move", target_id=running.id)
    assert set(rows.values_list("project_id", flat=True)) == {project.id, lab.id}
    assert all(row.changes == {"project": ["acme-prod", "acme-lab"]} for row in rows)


def test_it_takes_deleting_here_and_creating_there(
    running: Resource, organization: Organization, project: Project, lab: Project, actor_of: ActorOf
) -> None:
    here = person("here@acme.example", organization, "member", project, "developer")
    ProjectMembership.objects.create(user=here, project=lab, role="viewer")
    there = person("there@acme.example", organization, "member", lab, "developer")
    ProjectMembership.objects.create(user=there, project=project, role="viewer")
    for who in (here, there):
        assert refused(actor_of(who), running, lab).code == "permission_denied"
    assert moving.targets(actor_of(here), running) == []
    ProjectMembership.objects.filter(user=here, project=lab).update(role="developer")
    assert moving.targets(actor_of(here), running) == [lab]
    moving.move(actor_of(here), running, project=lab)


def test_it_never_leaves_its_organization(
    running: Resource, developer: User, actor: Actor, other_project: Project, project: Project
) -> None:
    ProjectMembership.objects.create(user=developer, project=other_project, role="admin")
    assert refused(actor, running, other_project).errors[0].code == "other_organization"
    assert refused(actor, running, project).errors[0].code == "unchanged"


def test_its_name_has_to_be_free_there(running: Resource, lab: Project, actor: Actor) -> None:
    other = actions.order(actor, project=lab, request=actions.OrderRequest(name="box", offering="toy")).resource
    assert refused(actor, running, lab).code == "name_taken"
    actions.delete(actor, other)
    moving.move(actor, running, project=lab)


def test_the_limits_of_the_target_count_and_the_organizations_do_not_change(
    running: Resource, lab: Project, actor: Actor, operator: User, actor_of: ActorOf
) -> None:
    def limit(project: Project | None, most: int) -> None:
        quotas.set_quota(
            actor_of(operator),
            organization=lab.organization,
            project=project,
            resource="services",
            limit=most,
            reason="test",
        )

    limit(None, 1)  # which this service reaches already, here or there
    limit(lab, 0)
    problem = refused(actor, running, lab)
    assert (problem.code, problem.extra["project"]) == ("quota_exceeded", "acme-lab")
    limit(lab, 1)
    moving.move(actor, running, project=lab)


def test_not_while_something_is_done_to_it(order: Order, lab: Project, actor: Actor) -> None:
    made = order().resource
    assert refused(actor, made, lab).code == "operation_in_progress"
    moving.move(actor, turn(made), project=lab)


def test_nothing_that_is_deleted(running: Resource, lab: Project, actor: Actor) -> None:
    actions.delete(actor, running)
    assert refused(actor, running, lab).code == "transient_state"


def test_what_it_brought_along_moves_with_it_and_not_alone(order: Order, lab: Project, actor: Actor) -> None:
    shop = order(name="shop", offering="workshop", plan="dev-2").resource
    cache = Resource.objects.get(owner=shop)
    for row in (shop, cache, shop):
        turn(row)
    assert refused(actor, cache, lab).code == "part_of_service"
    moving.move(actor, Resource.objects.get(id=shop.id), project=lab)
    assert Resource.objects.get(id=cache.id).project_id == lab.id
    assert Link.objects.get(source=shop).target_id == cache.id
    assert Change.objects.filter(resource=cache).count() == 2


def test_a_link_is_not_torn(running: Resource, order: Order, lab: Project, actor: Actor) -> None:
    spec = {"store": running.public_id, "with_cache": False}
    shop = turn(order(name="shop", offering="workshop", spec=spec).resource)
    for moved, other in ((running, "shop"), (shop, "box")):
        problem = refused(actor, moved, lab)
        assert (problem.code, problem.extra["linked"]) == ("resource_linked", [other])
        assert other in moving.standing_reason(moved)
    actions.edit(actor, shop, changes=actions.Edit(spec={"store": None}))
    turn(shop)
    moving.move(actor, running, project=lab)


@pytest.mark.parametrize(
    ("isolation", "kind", "moves"),
    [
        ("project", "kubernetes", False),
        ("own", "kubernetes", True),
        ("project", "local", True),
    ],
)
def test_a_namespace_that_belongs_to_the_project_keeps_it(
    isolation: str,
    kind: str,
    moves: bool,
    running: Resource,
    lab: Project,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Objects can't change their namespace; on a machine of its own a service has none."""
    found = {**registry.offerings(), "toy": replace(TOY, isolation=isolation)}
    monkeypatch.setattr(registry, "offerings", lambda: found)
    Cluster.objects.update(kind=kind)
    resource = Resource.objects.get(id=running.id)
    if moves:
        moving.move(actor, resource, project=lab)
        return
    assert refused(actor, resource, lab).code == "bound_to_project"
    assert "namespace belongs to the project" in moving.standing_reason(resource)


def test_two_who_move_it_at_once_are_told_apart(running: Resource, lab: Project, actor: Actor) -> None:
    stale = Resource.objects.select_related("project__organization").get(id=running.id)
    moving.move(actor, running, project=lab)
    with pytest.raises(Problem, match="changed_meanwhile"):
        moving.move(actor, stale, project=lab)


def test_the_api_moves_it_and_other_lists_show_it_at_once(
    running: Resource, lab: Project, developer: User, viewer: User, api_of: ApiOf, stranger: User
) -> None:
    path = f"/api/v1/services/{running.public_id}/move"
    assert api_of(viewer).post(path, {"project": "acme-lab"}, format="json").status_code == 403
    assert api_of(stranger).post(path, {"project": "acme-lab"}, format="json").status_code == 404
    client = api_of(developer)
    never, foreign = (client.post(path, {"project": name}, format="json") for name in ("never-made", "other-prod"))
    assert (never.status_code, never.json()["errors"]) == (foreign.status_code, foreign.json()["errors"])
    assert client.post(path, {}, format="json").status_code == 422
    moved = client.post(path, {"project": lab.public_id}, format="json")
    assert (moved.status_code, moved.json()["project"]) == (200, lab.public_id)
    names = {slug: client.get(f"/api/v1/projects/{slug}/services").json() for slug in ("acme-prod", "acme-lab")}
    assert [len(names[slug]["items"]) for slug in ("acme-prod", "acme-lab")] == [0, 1]


def test_a_token_for_one_project_moves_nothing_out_of_it(
    running: Resource, lab: Project, developer: User, api_of: ApiOf
) -> None:
    path = f"/api/v1/services/{running.public_id}/move"
    answer = api_of(developer, "project:acme-prod").post(path, {"project": "acme-lab"}, format="json")
    assert answer.status_code == 404
    assert api_of(developer, "project:acme-lab").post(path, {"project": "acme-lab"}, format="json").status_code == 404


def test_the_page_offers_what_the_person_may_and_says_what_changes(
    running: Resource, lab: Project, developer: User, viewer: User, client_of: ClientOf
) -> None:
    path, client = f"/services/{running.public_id}/move", client_of(developer)
    page = client.get(path).content.decode()
    assert re.findall(r'<option value="([\w-]+)"', page) == ["acme-lab"]
    assert "Connections stay open" in page
    assert client_of(viewer).get(path).status_code == 403
    assert client.post(path, {"project": "other-prod"}).status_code == 422
    assert client.post(path, {"project": "acme-lab"}).status_code == 302
    assert Resource.objects.get(id=running.id).project == lab


def test_the_page_says_where_there_is_nowhere_to_go(running: Resource, developer: User, client_of: ClientOf) -> None:
    page = client_of(developer).get(f"/services/{running.public_id}/move").content.decode()
    assert "no other project of Acme" in page


def test_the_engine_goes_on_while_it_moves(
    running: Resource, lab: Project, actor: Actor, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that began before the move writes what it saw, and leaves the project as it is by then."""
    observe, seen = TOY.drivers["local"].observe, []

    def while_moving(view: Any, state: Any) -> Any:
        if not seen:
            seen.append(True)
            moving.move(actor, Resource.objects.get(id=running.id), project=lab)
        return observe(view, state)

    monkeypatch.setattr(type(TOY.drivers["local"]), "observe", lambda self, view, state: while_moving(view, state))
    row = turn(running)
    assert seen == [True]
    assert (row.project_id, row.state) == (lab.id, "running")
