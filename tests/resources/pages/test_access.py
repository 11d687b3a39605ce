"""Who sees and does what on services' pages; what is not for somebody's eyes is not there."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.core import ids
from portal.resources.models import Child, Operation, Resource

pytestmark = pytest.mark.django_db

# path -> permission that its GET asks for (None: every member of the project)
PAGES: dict[str, str | None] = {
    "": None,
    "/header": None,
    "/connect": None,
    "/users": None,
    "/metrics": None,
    "/logs": None,
    "/logs.txt": None,
    "/ca.pem": None,
    "/activity": None,
    "/settings": "operate",
    "/resize": "spend",
    "/delete": "delete",
    "/users/new": "operate",
    "/do/restart": "operate",
    "/do/stop": "operate",
    "/do/fork": "spend",
}


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_for_those_who_may(
    path: str,
    make: Callable[..., Resource],
    developer: User,
    viewer: User,
    stranger: User,
    member: User,
    client_of: Callable[[User], Client],
) -> None:
    url = f"/services/{make().public_id}{path}"
    assert client_of(developer).get(url).status_code == 200
    assert client_of(viewer).get(url).status_code == (403 if PAGES[path] else 200)
    assert client_of(stranger).get(url).status_code == 404
    assert client_of(member).get(url).status_code == 404
    anonymous = Client().get(url)
    assert anonymous.status_code == 302
    assert anonymous["Location"].startswith("/sign-in?next=")


def test_foreign_and_unknown_ids_get_the_same_answer(
    make: Callable[..., Resource],
    operation: Callable[..., Operation],
    stranger: User,
    client_of: Callable[[User], Client],
) -> None:
    service = make()
    made, child = operation(service), Child.objects.get(resource=service)
    client = client_of(stranger)
    pairs = [
        (f"/services/{service.public_id}", f"/services/{ids.encode('svc', ids.uuid7())}"),
        (f"/operations/{made.public_id}", f"/operations/{ids.encode('op', ids.uuid7())}"),
        (f"/services/{service.public_id}/users/{child.public_id}", f"/services/{service.public_id}/nothing"),
    ]
    for foreign, unknown in pairs:
        first, second = client.get(foreign), client.get(unknown)
        assert first.status_code == second.status_code == 404
        assert _plain(first.content.decode(), foreign) == _plain(second.content.decode(), unknown)


def _plain(body: str, path: str) -> str:
    """Return a page without what names the request itself."""
    return re.sub(r"[A-Za-z0-9]{64}|[0-9a-f]{32}", "TOKEN", body.replace(path, "PATH"))


def test_another_services_child_is_not_there(browser: Client, make: Callable[..., Resource]) -> None:
    first, second = make("one"), make("two")
    child = Child.objects.get(resource=first)
    assert browser.get(f"/services/{first.public_id}/users/{child.public_id}").status_code == 200
    assert browser.get(f"/services/{second.public_id}/users/{child.public_id}").status_code == 404


def test_a_viewer_sees_no_button_and_no_secret(
    make: Callable[..., Resource], viewer: User, developer: User, client_of: Callable[[User], Client]
) -> None:
    service = make()
    for path, words in {
        "": "service-menu",
        "/connect": "/reveal",
        "/users": "users/new",
        "/backups": "backups/new",
    }.items():
        url = f"/services/{service.public_id}{path}"
        assert words in client_of(developer).get(url).content.decode(), path
        assert words not in client_of(viewer).get(url).content.decode(), path
    assert "Settings</a>" not in client_of(viewer).get(f"/services/{service.public_id}").content.decode()


@pytest.mark.parametrize(
    "path", ["do/stop", "do/restart", "delete", "users/new", "settings/about", "settings/tags", "resize"]
)
def test_posting_is_refused_to_a_viewer_and_a_stranger(
    path: str, make: Callable[..., Resource], viewer: User, stranger: User, client_of: Callable[[User], Client]
) -> None:
    service = make()
    before = Resource.objects.values().get(id=service.id)
    body = {"name": "other", "plan": "standard-4", "confirm": "box", "deletion_policy": "wipe"}
    assert client_of(viewer).post(f"/services/{service.public_id}/{path}", body).status_code == 403
    assert client_of(stranger).post(f"/services/{service.public_id}/{path}", body).status_code == 404
    assert Resource.objects.values().get(id=service.id) == before


def test_a_poll_of_somebody_signed_out_leads_to_signing_in(make: Callable[..., Resource]) -> None:
    client = Client(headers={"HX-Request": "true"})
    answer = client.get(f"/services/{make().public_id}")
    assert answer.status_code == 200
    assert answer["HX-Redirect"].startswith("/sign-in")
