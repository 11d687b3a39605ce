"""Logins over HTTP: listed without secrets, revealed on demand and on record, exchanged without a gap."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.resources.models import Operation, Resource
from tests.api.shapes import fits
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(running: Resource) -> str:
    return f"/api/v1/services/{running.public_id}/credentials"


def test_they_are_listed_with_the_main_one_first_and_without_secrets(
    api: APIClient, url: str, running: Resource
) -> None:
    api.post(url.replace("credentials", "users"), {"name": "aaa"})
    turn(running)
    response = api.get(url)
    page = fits(response, "CredentialJson", paged=True)
    assert [(item["name"], item["main"], item["username"]) for item in page["items"]] == [
        ("admin", True, "admin"),
        ("aaa", False, "aaa"),
    ]
    assert page["total_count"] == 2
    assert "canary" not in response.content.decode()
    assert fits(api.get(f"{url}/{page['items'][0]['id']}"), "CredentialJson") == page["items"][0]


def test_a_secret_is_revealed_once_per_call_and_each_call_is_on_record(
    api: APIClient, url: str, running: Resource
) -> None:
    main = api.get(url).json()["items"][0]["id"]
    response = api.post(f"{url}/{main}/reveal")
    shown = fits(response, "RevealJson")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert shown["password"].startswith("canary-user-")
    assert shown["uri"] == f"toy://admin:{shown['password']}@localhost:20001/"
    assert shown["ca_pem"].startswith("-----BEGIN CERTIFICATE-----")
    api.post(f"{url}/{main}/reveal")
    rows = AuditEvent.objects.filter(action="service.reveal")
    assert rows.count() == 2
    assert shown["password"] not in str(list(rows.values()))


def test_it_can_not_be_revealed_before_there_is_an_address(api: APIClient, order: Callable[..., Operation]) -> None:
    url = f"/api/v1/services/{order().resource.public_id}/credentials"
    main = api.get(url).json()["items"][0]["id"]
    response = api.post(f"{url}/{main}/reveal")
    assert (response.status_code, response.json()["code"]) == (409, "transient_state")


def test_secrets_are_not_for_viewers_auditors_read_tokens_and_operators(
    url: str, api: APIClient, viewer: User, auditor: User, operator: User, developer: User,
    api_of: Callable[..., APIClient], kernel: MemoryBackend,
) -> None:  # fmt: skip
    main = api.get(url).json()["items"][0]["id"]
    for client in (api_of(viewer), api_of(auditor), api_of(operator), api_of(developer, "read")):
        assert client.get(url).status_code == 200
        for verb in ("reveal", "rotate", "complete"):
            response = client.post(f"{url}/{main}/{verb}")
            assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
            assert "canary" not in response.content.decode()


def test_a_login_is_exchanged_while_both_work(api: APIClient, url: str, running: Resource) -> None:
    main = api.get(url).json()["items"][0]["id"]
    early = api.post(f"{url}/{main}/complete")
    assert (early.status_code, early.json()["code"]) == (409, "rotation_not_ready")
    assert fits(api.post(f"{url}/{main}/rotate"), "OperationJson")["type"].startswith("rotate")
    again = api.post(f"{url}/{main}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "rotation_in_progress")
    turn(running)
    old, new = api.get(url).json()["items"]
    assert (old["id"], new["predecessor_id"]) == (main, main)
    assert api.post(f"{url}/{new['id']}/reveal").json()["username"] == "admin-2"
    assert api.post(f"{url}/{main}/complete").status_code == 202
    turn(running)
    assert [(item["id"], item["main"]) for item in api.get(url).json()["items"]] == [(new["id"], True)]


def test_an_unknown_login_and_a_body_that_says_something_are_refused(api: APIClient, url: str) -> None:
    main = api.get(url).json()["items"][0]["id"]
    for unknown in ("cred_01JB7Q8W5T9X3M4K2N6P7R8S9V", main.replace("cred_", "usr_"), "admin"):
        assert api.post(f"{url}/{unknown}/reveal").status_code == 404
    response = api.post(f"{url}/{main}/reveal", {"format": "uri"})
    assert [error["pointer"] for error in response.json()["errors"]] == ["/format"]
