"""What can be done with a whole service over HTTP: each verb, its body, its refusals."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.resources.models import Child, Operation, Resource
from tests.api.shapes import fits
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(running: Resource) -> str:
    return f"/api/v1/services/{running.public_id}"


@pytest.fixture
def backup(running: Resource, api: APIClient, url: str) -> str:
    """The id of a complete backup."""
    assert api.post(f"{url}/backups").status_code == 202
    turn(running)
    found: str = api.get(f"{url}/backups").json()["items"][0]["id"]
    return found


def pointers(response: Any) -> dict[str, str]:
    assert response.status_code == 422, response.json()
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def done(response: Any, resource: Resource) -> Operation:
    """Check that an operation was started, let the engine work, and return how it ended."""
    assert response.status_code == 202, response.json()
    fits(response, "OperationJson")
    turn(resource)
    operation = Operation.objects.order_by("-id").first()
    assert operation is not None
    assert operation.public_id == response.json()["id"]
    return operation


def test_resize_changes_plan_and_price(api: APIClient, url: str, running: Resource) -> None:
    before = api.get(url).json()["price"]
    assert done(api.post(f"{url}/resize", {"plan": "standard-4"}), running).state == "succeeded"
    after = api.get(url).json()
    assert (after["plan"], after["node_memory_mib"]) == ("standard-4", 4096)
    assert (before["hourly"], after["price"]["hourly"]) == ("0.020000", "0.040000")
    assert pointers(api.post(f"{url}/resize", {"plan": "standard-4"})) == {"/plan": "unchanged"}
    assert pointers(api.post(f"{url}/resize", {"plan": "nope"})) == {"/plan": "unknown_plan"}
    assert pointers(api.post(f"{url}/resize", {})) == {"/plan": "required"}


def test_stop_start_and_restart(api: APIClient, url: str, running: Resource) -> None:
    assert done(api.post(f"{url}/stop"), running).state == "succeeded"
    stopped = api.get(url).json()
    assert (stopped["state"], stopped["price"]["hourly"]) == ("stopped", "0.000000")
    refused = api.post(f"{url}/restart")
    assert (refused.status_code, refused.json()["code"], refused.json()["current_state"]) == (
        409,
        "transient_state",
        "stopped",
    )
    assert done(api.post(f"{url}/start", {}), running).state == "succeeded"
    assert done(api.post(f"{url}/restart"), running).state == "succeeded"
    assert pointers(api.post(f"{url}/restart", {"hard": True})) == {"/hard": "unknown_field"}


def test_a_second_operation_is_refused_and_names_the_first_unless_it_supersedes(api: APIClient, url: str) -> None:
    first = api.post(f"{url}/restart").json()
    second = api.post(f"{url}/stop")
    assert (second.status_code, second.json()["code"]) == (409, "operation_in_progress")
    assert second.json()["operation"] == first["id"]
    assert pointers(api.post(f"{url}/stop?supersede=1")) == {"?supersede": "invalid_choice"}
    assert api.post(f"{url}/stop?supersede=true").status_code == 202
    assert api.get(f"/api/v1/operations/{first['id']}").json()["state"] == "cancelled"


def test_upgrade_goes_to_a_newer_release_of_the_line(api: APIClient, order: Callable[..., Operation]) -> None:
    resource = turn(order(version="2.0").resource)
    url = f"/api/v1/services/{resource.public_id}"
    assert api.get(url).json()["upgrades"] == ["2.1"]
    assert done(api.post(f"{url}/upgrade", {"version": "2"}), resource).state == "succeeded"
    assert api.get(url).json()["release"] == "2.1"
    assert pointers(api.post(f"{url}/upgrade", {"version": "2.0"})) == {"/version": "not_an_upgrade"}


def test_a_backup_is_restored_into_a_new_service_that_the_operation_names(
    api: APIClient, url: str, backup: str, running: Resource
) -> None:
    response = api.post(f"{url}/restore", {"backup": backup, "target": {"name": "restored"}})
    assert response.status_code == 202
    assert response.json()["service"] != running.public_id
    assert api.get(f"/api/v1/services/{response.json()['service']}").json()["name"] == "restored"
    assert done(api.post(f"{url}/restore", {"backup": backup, "in_place": True}), running).type == "restore"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"/target": "required"}),
        ({"in_place": True, "target": {"name": "x"}}, {"/target": "required"}),
        ({"target": {}}, {"/target/name": "required"}),
        ({"target": {"name": "x", "zone": "b"}}, {"/target/zone": "unknown_field"}),
        ({"target": {"name": "Bad"}}, {"/name": "invalid_name"}),
        ({"time": "2026-11-23T10:00:00Z", "in_place": True}, {"/backup": "required"}),
        ({"in_place": "yes"}, {"/in_place": "invalid"}),
    ],
)
def test_a_restore_says_which_field_is_wrong(
    api: APIClient, url: str, backup: str, change: Any, expected: dict[str, str]
) -> None:
    found = pointers(api.post(f"{url}/restore", {"backup": backup, **change}))
    assert found == {(f"/target{k}" if k == "/name" else k): v for k, v in expected.items()}


def test_a_restore_to_a_time_or_of_an_unknown_backup_is_refused(api: APIClient, url: str, backup: str) -> None:
    in_time = {"time": "2026-11-23T10:00:00Z", "in_place": True}
    assert pointers(api.post(f"{url}/restore", in_time)) == {"/time": "not_supported"}
    assert pointers(api.post(f"{url}/restore", {**in_time, "time": "yesterday"})) == {"/time": "invalid_time"}
    for unknown in ("bkp_01JB7Q8W5T9X3M4K2N6P7R8S9V", backup.lower(), "x"):
        body = {"backup": unknown, "in_place": True}
        assert pointers(api.post(f"{url}/restore", body)) == {"/backup": "unknown_backup"}


def test_a_fork_needs_a_backup_and_makes_a_copy(api: APIClient, url: str, running: Resource) -> None:
    missing = api.post(f"{url}/fork", {"name": "copy"})
    assert (missing.status_code, missing.json()["code"]) == (409, "backup_missing")
    api.post(f"{url}/backups")
    turn(running)
    assert api.post(f"{url}/fork", {"name": "copy"}).status_code == 202
    assert Child.objects.filter(resource__name="copy", kind="users").exists()


def test_undelete_works_from_the_bin_only(api: APIClient, url: str) -> None:
    response = api.post(f"{url}/undelete")
    assert (response.status_code, response.json()["code"]) == (409, "transient_state")


def test_a_verb_that_nobody_declared_is_not_there(api: APIClient, url: str) -> None:
    response = api.post(f"{url}/explode", {"x": 1})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert api.get(f"{url}/resize").status_code == 405


def test_a_verb_is_for_who_may_operate_and_asks_before_it_reads_the_body(
    url: str, viewer: User, stranger: User, api_of: Callable[..., APIClient]
) -> None:
    verbs = ["resize", "stop", "start", "restart", "upgrade", "restore", "fork", "undelete"]
    for who, status in ((viewer, 403), (stranger, 404)):
        client = api_of(who)
        for verb in verbs:
            response = client.generic("POST", f"{url}/{verb}?nope=1", b"{broken", content_type="application/json")
            assert (verb, response.status_code) == (verb, status)


def test_what_the_backend_does_not_answer_is_no_error_of_the_request(
    api: APIClient, url: str, kernel: MemoryBackend
) -> None:
    from portal.core.errors import TemporaryError

    kernel.error = TemporaryError("gone")
    assert api.post(f"{url}/restart").status_code == 202
