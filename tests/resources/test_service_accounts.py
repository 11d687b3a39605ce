"""A service account orders and is named: in operations, events, activity, and when a key is used twice."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.projects import machines
from portal.projects.models import Project
from portal.resources.models import Operation
from tests.fixtures import token_of
from tests.resources.doubles import MemoryBackend


@pytest.fixture
def machine(owner: User, project: Project, actor_of: Callable[..., Actor]) -> User:
    roles = {"role": "member", "project_roles": {project.slug: "developer"}}
    return machines.create(actor_of(owner), organization=project.organization, name="Pipeline", **roles)


def test_what_a_service_account_orders_names_it(
    machine: User, developer: User, project: Project, kernel: MemoryBackend, client_of: Callable[[User], Client]
) -> None:
    api = APIClient(headers={"Authorization": f"Bearer {token_of(machine)[1]}"})
    wish, key = {"name": "box", "offering": "toy"}, {"Idempotency-Key": "one"}
    made = api.post(f"/api/v1/projects/{project.slug}/services", wish, format="json", headers=key)
    again = api.post(f"/api/v1/projects/{project.slug}/services", wish, format="json", headers=key)
    assert (made.status_code, made.json()["id"]) == (202, again.json()["id"])
    assert made.json()["requested_by"] == machine.public_id
    service = made.json()["service"]
    events = api.get(f"/api/v1/services/{service}/events").json()["items"]
    assert {event["actor"] for event in events if event["actor"]} == {machine.public_id}
    page = client_of(developer).get(f"/services/{service}/activity").content.decode()
    assert "Pipeline" in page
    assert "machines.invalid" not in page
    assert Operation.objects.get().requested_by == machine.id


def test_a_role_taken_from_it_stops_it(
    machine: User, owner: User, project: Project, kernel: MemoryBackend, actor_of: Callable[..., Actor]
) -> None:
    api = APIClient(headers={"Authorization": f"Bearer {token_of(machine)[1]}"})
    path, wish = f"/api/v1/projects/{project.slug}/services", {"name": "box", "offering": "toy"}
    assert api.post(path, wish, format="json").status_code == 202
    roles = {project.slug: "viewer"}
    machines.change(actor_of(owner), organization=project.organization, machine=machine, project_roles=roles)
    assert api.post(path, {**wish, "name": "more"}, format="json").status_code == 403
    assert api.get(path).json()["total_count"] == 1
