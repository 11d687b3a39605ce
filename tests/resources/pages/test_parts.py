"""What a service brings along, where it is shown: with its owner, in no list, without what its owner decides."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.resources.models import Operation, Resource
from tests.resources.conftest import turn

pytestmark = pytest.mark.django_db


@pytest.fixture
def workshop(order: Callable[..., Operation]) -> Resource:
    made = order(name="shop", offering="workshop").resource
    for row in (*made.parts.all(), made):
        turn(row)
    return Resource.objects.get(id=made.id)


def test_owner_and_part_show_each_other_and_the_list_only_the_owner(
    workshop: Resource, developer: User, client_of: Callable[[User], Client]
) -> None:
    client, part = client_of(developer), workshop.parts.get()
    page = client.get(f"/services/{workshop.public_id}").content.decode()
    assert "Brought along" in page
    assert f"/services/{part.public_id}" in page
    inner = client.get(f"/services/{part.public_id}").content.decode()
    assert f'<a href="/services/{workshop.public_id}">shop</a>' in inner
    assert f"/services/{part.public_id}/delete" not in inner
    assert f"/services/{part.public_id}/resize" not in inner
    assert f"/services/{part.public_id}/do/restart" in inner
    assert "shop-cache" not in client.get("/services").content.decode()


def test_the_api_says_so_too(
    workshop: Resource, developer: User, stranger: User, api_of: Callable[..., APIClient]
) -> None:
    part, api = workshop.parts.get(), api_of(developer)
    assert [item["name"] for item in api.get("/api/v1/services").json()["items"]] == ["shop"]
    found = api.get(f"/api/v1/services?part_of={workshop.public_id}").json()["items"]
    assert [(item["id"], item["part_of"]) for item in found] == [(part.public_id, workshop.public_id)]
    assert api.get(f"/api/v1/services/{workshop.public_id}").json()["part_of"] is None
    assert api.get("/api/v1/services?part_of=nonsense").json()["items"] == []
    assert api_of(stranger).get(f"/api/v1/services?part_of={workshop.public_id}").json()["items"] == []
    refused = api.post(f"/api/v1/services/{part.public_id}/stop")
    assert (refused.status_code, refused.json()["code"]) == (409, "part_of_service")
