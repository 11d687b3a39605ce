"""Every endpoint that the document knows, asked by who must not: a foreign id answers as one that does not exist."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.core import ids
from portal.core.api.reference import openapi
from portal.resources.models import Resource
from tests.resources.conftest import turn

pytestmark = pytest.mark.django_db
PREFIXES = {"service": "svc", "operation": "op", "credential": "cred", "child": "usr"}
UNKNOWN = "01JB7Q8W5T9X3M4K2N6P7R8S9V"


def about_services() -> Iterator[tuple[str, str]]:
    for path, item in openapi()["paths"].items():
        if "{service}" in path or "{operation}" in path:
            yield from ((path, method) for method in item)


def filled(path: str, **names: str) -> str:
    return path.format(kind="users", **names)


def ask(client: APIClient, path: str, method: str) -> tuple[int, Any]:
    """Return status and body, without what is of one request alone."""
    options = {} if method == "get" else {"data": {"nope": 1}, "format": "json"}
    response = getattr(client, method)(path, HTTP_X_REQUEST_ID="one-request", **options)
    body = response.json() if "json" in response["Content-Type"] else {}
    return response.status_code, {name: value for name, value in body.items() if name != "instance"}


def test_there_are_endpoints_to_ask() -> None:
    assert len(list(about_services())) > 30


def test_a_foreign_id_answers_as_an_unknown_one_everywhere(
    running: Resource, stranger: User, api_of: Callable[..., APIClient]
) -> None:
    login = running.children.get(name="admin")
    theirs = {
        "service": running.public_id,
        "operation": running.operations.get().public_id,
        "credential": ids.encode("cred", login.id),
        "child": login.public_id,
    }
    nobodys = {name: f"{prefix}_{UNKNOWN}" for name, prefix in PREFIXES.items()}
    client = api_of(stranger)
    for path, method in about_services():
        foreign, unknown = (ask(client, filled(path, **names), method) for names in (theirs, nobodys))
        assert (path, method, foreign) == (path, method, unknown)
        assert (path, method, foreign[0], foreign[1]["code"]) == (path, method, 404, "not_found")


def test_a_foreign_part_is_not_reached_through_an_own_service(
    api: APIClient, running: Resource, foreign: Resource
) -> None:
    login = foreign.children.get(name="admin")
    turn(running)
    own = {"service": running.public_id, "operation": foreign.operations.get().public_id}
    for path, method in about_services():
        if "{child}" in path or "{credential}" in path or "{operation}" in path:
            theirs = {"credential": ids.encode("cred", login.id), "child": login.public_id}
            nobodys = {name: f"{prefix}_{UNKNOWN}" for name, prefix in PREFIXES.items()}
            assert ask(api, filled(path, **own, **theirs), method) == ask(
                api, filled(path, **{**nobodys, "service": running.public_id}), method
            )
            assert ask(api, filled(path, **own, **theirs), method)[0] == 404


def test_nobody_gets_in_without_a_token_except_to_the_catalog(kernel: Any) -> None:
    anybody = APIClient()
    for path, item in openapi()["paths"].items():
        for method, operation in item.items():
            known = {"kind": "users", **{name: f"{prefix}_{UNKNOWN}" for name, prefix in PREFIXES.items()}}
            asked = path.format_map({**dict.fromkeys(re.findall(r"{(\w+)}", path), "x"), **known})
            status, _body = ask(anybody, asked, method)
            assert (path, method, status == 401) == (path, method, operation["security"] != [])


def test_a_token_that_only_reads_changes_nothing(
    running: Resource, developer: User, api_of: Callable[..., APIClient]
) -> None:
    login, client = running.children.get(name="admin"), api_of(developer, "read")
    names = {
        "service": running.public_id,
        "operation": running.operations.get().public_id,
        "credential": ids.encode("cred", login.id),
        "child": login.public_id,
    }
    for path, method in about_services():
        status, body = ask(client, filled(path, **names), method)
        if method == "get":
            assert (path, status in (200, 403, 404)) == (path, True)
        else:
            assert (path, method, status in (403, 404)) == (path, method, True)
        assert "canary" not in str(body)
