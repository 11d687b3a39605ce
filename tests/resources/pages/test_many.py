"""A kind of parts by the thousand in the console: pages, search, and a table that makes many at once."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.resources import actions
from portal.resources.models import Child, Operation, Resource
from tests.resources.conftest import turn
from tests.resources.offerings import DEVICES

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(order: Callable[..., Operation]) -> Resource:
    return turn(order(offering="fleet").resource)


@pytest.fixture
def client(developer: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(developer)


def address(fleet: Resource, rest: str = "") -> str:
    return f"/services/{fleet.public_id}/devices{rest}"


def test_they_come_in_pages_and_are_found_by_name(fleet: Resource, client: Client, actor: Actor) -> None:
    wishes = [actions.Wish(f"d{place:03}", {}) for place in range(120)]
    actions.change_many(actor, fleet, DEVICES, put=wishes)
    turn(fleet)
    first = client.get(address(fleet)).content.decode()
    assert "d049" in first
    assert "d050" not in first
    following = first.split("cursor=")[1].split('"')[0]
    second = client.get(address(fleet, f"?cursor={following}")).content.decode()
    assert "d050" in second
    found = client.get(address(fleet, "?q=d11")).content.decode()
    assert "d117" in found
    assert "d049" not in found
    assert "Nothing matches" in client.get(address(fleet, "?q=zebra")).content.decode()


def test_a_table_makes_and_changes_many(fleet: Resource, client: Client) -> None:
    asked = client.get(address(fleet, "/many")).content.decode()
    assert "name,place,enabled" in asked
    sent = client.post(address(fleet, "/many"), {"rows": "name;place;enabled\nlamp;hall;\nlock;;false\n"})
    assert sent.status_code == 302
    rows = {child.name: child.spec for child in Child.objects.filter(resource=fleet)}
    assert rows == {"lamp": {"place": "hall", "enabled": True}, "lock": {"place": "", "enabled": False}}
    client.post(address(fleet, "/many"), {"rows": "name,place\nlock,door\n"})
    assert Child.objects.get(resource=fleet, name="lock").spec == {"place": "door", "enabled": False}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,colour\nlamp,red", "any of place, enabled"),
        ("place\nhall", "The first line names the columns"),
        ("name,place\nlamp", "Line 2 has not as many cells"),
        ("name,place\nlamp,hall\nBad Name,hall", "Line 3, name:"),
        ('name,place\nlamp,"hall', "can&#x27;t be read"),
        ("  ", "This field is required"),
    ],
)
def test_a_wrong_table_says_which_line_and_nothing_is_made(
    fleet: Resource, client: Client, text: str, words: str
) -> None:
    answer = client.post(address(fleet, "/many"), {"rows": text})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Child.objects.filter(resource=fleet).exists()


def test_kinds_of_few_have_no_table(running: Resource, client: Client) -> None:
    assert client.get(f"/services/{running.public_id}/users/many").status_code == 404
    assert "Many at once" not in client.get(f"/services/{running.public_id}/users").content.decode()
