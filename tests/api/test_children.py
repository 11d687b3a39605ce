"""Parts of a service over HTTP: made, listed, changed, run, downloaded, taken away."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.resources.models import Child, Operation, Resource
from tests.api.shapes import fits
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(running: Resource) -> str:
    return f"/api/v1/services/{running.public_id}"


def pointers(response: Any) -> dict[str, str]:
    assert response.status_code == 422, response.json()
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def test_a_part_is_made_shown_changed_and_taken_away(api: APIClient, url: str, running: Resource) -> None:
    made = api.post(f"{url}/users", {"name": "alice", "spec": {"access": "write"}})
    assert made.status_code == 202
    operation = fits(made, "OperationJson")
    assert (operation["type"], operation["child"]["kind"], operation["child"]["name"]) == (
        "create_user",
        "users",
        "alice",
    )
    turn(running)
    child = f"{url}/users/{operation['child']['id']}"
    shown = fits(api.get(child), "ChildJson")
    assert (shown["state"], shown["spec"], shown["service"]) == ("ready", {"access": "write"}, running.public_id)
    assert api.patch(child, {"spec": {"access": "read"}}).json()["type"] == "update_user"
    turn(running)
    unchanged = api.patch(child, {"spec": {"access": "read"}})
    assert (unchanged.status_code, unchanged.json()["spec"]) == (200, {"access": "read"})
    assert api.delete(child).json()["type"] == "delete_user"
    turn(running)
    assert api.get(child).status_code == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "Bad Name"}, {"/name": "invalid_name"}),
        ({}, {"/name": "invalid_name"}),
        ({"name": "a", "nope": 1}, {"/nope": "unknown_field"}),
        ({"name": "a", "spec": {"nope": 1}}, {"/spec/nope": "unknown_field"}),
        ({"name": "a", "spec": {"main": True}}, {"/spec/main": "unknown_field"}),
        ({"name": "a", "spec": {"access": "all"}}, {"/spec/access": "string_pattern_mismatch"}),
        ({"name": 1}, {"/name": "invalid"}),
    ],
)
def test_a_wrong_field_is_named(api: APIClient, url: str, body: Any, expected: dict[str, str]) -> None:
    assert pointers(api.post(f"{url}/users", body)) == expected


def test_a_taken_name_a_protected_part_and_a_full_service_are_refused(api: APIClient, url: str) -> None:
    taken = api.post(f"{url}/users", {"name": "admin"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    main = api.get(f"{url}/users").json()["items"][0]
    kept = api.delete(f"{url}/users/{main['id']}")
    assert (kept.status_code, kept.json()["code"]) == (409, "resource_protected")
    for name in "abcd":
        api.post(f"{url}/users", {"name": name})
    full = api.post(f"{url}/users", {"name": "e"})
    assert (full.status_code, full.json()["code"]) == (403, "quota_exceeded")


def test_pages_of_parts_take_the_same_queries_whatever_their_size(api: APIClient, url: str, running: Resource) -> None:
    Child.objects.bulk_create(Child(resource=running, kind="users", name=f"u{n:03}", spec={}) for n in range(120))
    api.get(url)
    with CaptureQueriesContext(connection) as few:
        assert len(api.get(f"{url}/users?limit=2").json()["items"]) == 2
    with CaptureQueriesContext(connection) as many:
        page = fits(api.get(f"{url}/users?limit=200&sort=name"), "ChildJson", paged=True)
    assert len(few) == len(many)
    assert (page["total_count"], len(page["items"])) == (121, 121)


def test_a_run_is_started_cancelled_retried_and_downloaded(
    api: APIClient, url: str, running: Resource, kernel: MemoryBackend
) -> None:
    kernel.obey = False
    assert api.post(f"{url}/backups").json()["type"] == "backup"
    backup = f"{url}/backups/{api.get(f'{url}/backups').json()['items'][0]['id']}"
    early = api.get(f"{backup}/download")
    assert (early.status_code, early.json()["code"]) == (409, "transient_state")
    assert api.post(f"{backup}/cancel").status_code == 202
    assert pointers(api.post(f"{backup}/cancel", {"x": 1})) == {"/x": "unknown_field"}
    Child.objects.filter(kind="backups").update(state="failed")
    running.operations.filter(type="backup").update(state="failed")
    assert api.post(f"{backup}/retry").json()["type"] == "retry_backup"
    kernel.obey = True
    turn(running)
    Child.objects.filter(kind="backups").update(facts={"artifact": "a.dump"}, state="succeeded")
    response = api.get(f"{backup}/download")
    assert (response.status_code, response["Content-Type"]) == (200, "application/octet-stream")
    assert b"".join(response.streaming_content) == b"artifact"
    assert response["Content-Disposition"].startswith(f'attachment; filename="{running.name}-backup')
    assert AuditEvent.objects.filter(action="service.download", target_id=Child.objects.get(kind="backups").id).exists()


def test_a_download_is_for_who_may_see_secrets(
    url: str, api: APIClient, running: Resource, viewer: User, auditor: User, api_of: Callable[..., APIClient]
) -> None:
    api.post(f"{url}/backups")
    turn(running)
    Child.objects.filter(kind="backups").update(facts={"artifact": "a.dump"})
    backup = f"{url}/backups/{api.get(f'{url}/backups').json()['items'][0]['id']}"
    for who in (viewer, auditor):
        assert api_of(who).get(backup).status_code == 200
        assert api_of(who).get(f"{backup}/download").json()["code"] == "permission_denied"
        assert api_of(who).post(f"{url}/users", {"name": "x"}).json()["code"] == "permission_denied"


def test_a_link_works_without_a_token_until_it_expires(
    url: str, api: APIClient, running: Resource, viewer: User, api_of: Callable[..., APIClient]
) -> None:
    api.post(f"{url}/backups")
    turn(running)
    backup = f"{url}/backups/{api.get(f'{url}/backups').json()['items'][0]['id']}"
    Child.objects.filter(kind="backups").update(facts={"artifact": "a.dump"}, state="running")
    assert api.post(f"{backup}/link").json()["code"] == "transient_state"
    Child.objects.filter(kind="backups").update(state="succeeded")
    made = fits(api.post(f"{backup}/link"), "DownloadLinkJson")
    assert made["url"].startswith("http://testserver/download/")
    answer = APIClient().get(made["url"].removeprefix("http://testserver"))
    assert b"".join(answer.streaming_content) == b"artifact"
    assert pointers(api.post(f"{backup}/link", {"x": 1})) == {"/x": "unknown_field"}
    assert api_of(viewer).post(f"{backup}/link").json()["code"] == "permission_denied"
    assert api.post(f"{url}/users/{api.get(f'{url}/users').json()['items'][0]['id']}/link").status_code == 404


def test_kinds_and_verbs_that_nobody_declared_are_not_there(api: APIClient, url: str) -> None:
    admin = api.get(f"{url}/users").json()["items"][0]["id"]
    for answer in (
        api.get(f"{url}/topics"),
        api.post(f"{url}/topics", {"name": "x"}),
        api.post(f"{url}/users/{admin}/cancel"),
        api.get(f"{url}/users/{admin}/download"),
        api.patch(f"{url}/backups/{admin}", {"spec": {}}),
        api.get(f"{url}/backups/{admin}"),
        api.get(f"{url}/users/admin"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_part_of_another_service_is_not_reached_through_this_one(
    api: APIClient, url: str, order: Callable[..., Any]
) -> None:
    other = order("other").resource
    child = other.children.get(name="admin")
    wrong = api.get(f"{url}/users/{child.public_id}")
    assert (wrong.status_code, wrong.json()["code"]) == (404, "not_found")
    assert api.get(f"/api/v1/services/{other.public_id}/users/{child.public_id}").status_code == 200
    assert api.get(f"{url}/users/{ids.encode('cred', child.id)}").status_code == 404


def test_many_parts_are_changed_in_one_request(api: APIClient, order: Callable[..., Operation]) -> None:
    fleet = turn(order(name="fleet", offering="fleet").resource)
    address = f"/api/v1/services/{fleet.public_id}/devices/batch"
    body = {"put": [{"name": "lamp", "spec": {"place": "hall"}}, {"name": "lock"}]}
    first = api.post(address, body, headers={"Idempotency-Key": "many-1"})
    assert (first.status_code, first.json()["type"]) == (202, "change_devices")
    assert api.post(address, body, headers={"Idempotency-Key": "many-1"}).json()["id"] == first.json()["id"]
    turn(fleet)
    assert api.get(f"/api/v1/operations/{first.json()['id']}").json()["state"] == "succeeded"
    gone = api.post(address, {"delete": ["lamp"], "put": [{"name": "lock", "spec": {"enabled": False}}]})
    assert gone.status_code == 202
    turn(fleet)
    listed = api.get(f"/api/v1/services/{fleet.public_id}/devices").json()
    assert [(item["name"], item["spec"]["enabled"]) for item in listed["items"]] == [("lock", False)]
    wrong = api.post(address, {"put": [{"name": "lamp", "spec": {"enabled": "perhaps"}}]})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/put/0/spec/enabled"
    assert api.post(address, {}).status_code == 422


def test_kinds_of_few_have_no_batch(api: APIClient, running: Resource) -> None:
    assert api.post(f"/api/v1/services/{running.public_id}/users/batch", {"put": []}).status_code == 404
