"""Closing an organization with services: what runs keeps it open, all of it goes to the bin, the bin is kept."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects import governing
from portal.projects.models import Organization, Project
from portal.resources import actions, closing
from portal.resources.models import Operation, Resource
from tests.projects.test_actions import somebody_waits_for_us
from tests.resources.conftest import turn

pytestmark = pytest.mark.django_db
Order, ActorOf = Callable[..., Operation], Callable[..., Actor]
ClientOf, ApiOf = Callable[[User], Client], Callable[..., APIClient]
CLOSE = "/organizations/acme/close"


def all_turn(times: int = 4) -> None:
    for _ in range(times):
        for row in Resource.objects.filter(purged_at=None).exclude(next_reconcile_at=None).order_by("id"):
            turn(row)


def test_what_runs_keeps_it_open_until_it_is_in_the_bin(
    running: Resource, owner: User, organization: Organization, actor_of: ActorOf, client_of: ClientOf
) -> None:
    client, form = client_of(owner), {"confirm": "Acme"}
    assert "box" in client.get(CLOSE).content.decode()
    assert client.post(CLOSE, form).status_code == 422
    assert client.post(f"{CLOSE}/bin").status_code == 302
    with pytest.raises(Problem, match="organization_in_use"):  # on its way is not there yet
        governing.close(actor_of(owner), organization=organization, confirm="Acme")
    all_turn()
    assert Resource.objects.get().in_bin
    assert client.post(CLOSE, form).status_code == 302
    organization.refresh_from_db()
    assert organization.closed_at is not None
    assert Resource.objects.get().in_bin


def test_a_closed_one_takes_no_order_and_gives_nothing_back_until_it_is_open_again(
    running: Resource, order: Order, owner: User, organization: Organization, actor_of: ActorOf, api_of: ApiOf
) -> None:
    me = actor_of(owner)
    actions.delete(me, running)
    all_turn()
    governing.close(me, organization=organization, confirm="Acme")
    body = {"name": "new", "offering": "toy"}
    answer = api_of(owner).post("/api/v1/projects/acme-prod/services", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "organization_closed")
    undelete = f"/api/v1/services/{running.public_id}/undelete"
    assert api_of(owner).post(undelete, {}, format="json").json()["code"] == "organization_closed"
    assert api_of(owner).get(f"/api/v1/services/{running.public_id}").status_code == 200
    governing.reopen(me, organization=organization)
    assert api_of(owner).post(undelete, {}, format="json").status_code == 202
    order("new")


def test_all_go_at_one_press_users_before_what_they_use(
    running: Resource, order: Order, owner: User, organization: Organization, actor_of: ActorOf
) -> None:
    shop = turn(order(name="shop", offering="workshop", spec={"store": running.public_id}).resource)
    kept = turn(order(name="kept", protected=True).resource)
    cleared = closing.delete_all(actor_of(owner), organization=organization)
    assert (cleared.deleted, [row.name for row, _why in cleared.refused]) == (2, ["kept"])
    assert "protected" in cleared.refused[0][1]
    assert "kept" in closing.words_of(cleared)
    going = set(Resource.objects.exclude(deletion_requested_at=None).values_list("id", flat=True))
    assert going >= {running.id, shop.id}
    assert kept.id not in going


def test_only_an_owner_presses_it(
    running: Resource, admin: User, organization: Organization, actor_of: ActorOf, client_of: ClientOf
) -> None:
    with pytest.raises(Problem, match="permission_denied"):
        closing.delete_all(actor_of(admin), organization=organization)
    assert client_of(admin).post(f"{CLOSE}/bin").status_code == 403
    assert Resource.objects.get().deletion_requested_at is None


def test_another_organizations_services_are_not_its_affair(
    running: Resource, stranger: User, other_project: Project, actor_of: ActorOf
) -> None:
    other = other_project.organization
    assert closing.what_still_runs(other) == []
    assert closing.delete_all(actor_of(stranger), organization=other).deleted == 0
    governing.close(actor_of(stranger), organization=other, confirm="Other")


def test_the_organizations_page_counts_what_the_reader_may_see(
    running: Resource, owner: User, billing: User, organization: Organization, client_of: ClientOf, actor_of: ActorOf
) -> None:
    project = running.project
    found = closing.counts_of(actor_of(owner), organization)
    assert (found[project.id].total, found[project.id].running) == (1, 1)
    assert closing.counts_of(actor_of(billing), organization) == {}
    assert "Acme production" in client_of(owner).get("/organizations/acme").content.decode()
    assert "Acme production" not in client_of(billing).get("/organizations/acme").content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_order_that_is_just_being_made_keeps_it_open(
    order: Order, owner: User, organization: Organization, actor_of: ActorOf, eventually: Callable[..., Any]
) -> None:
    """Both hold the organization, so that none of them sees it as it was before the other."""
    codes: list[str] = []

    def close() -> None:
        try:
            governing.close(actor_of(owner), organization=organization, confirm="Acme")
            codes.append("closed")
        except Problem as problem:
            codes.append(problem.code)
        finally:
            connection.close()

    thread = threading.Thread(target=close)
    with transaction.atomic():
        order()
        thread.start()
        eventually(lambda: codes or somebody_waits_for_us())
    thread.join()
    assert codes == ["organization_in_use"]
