"""Following, waiting for and cancelling operations; and endpoints, log, metrics and activity of a service."""

import datetime
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from portal.clusters.backends.base import LogLine, Series
from portal.core.errors import TemporaryError
from portal.resources.models import Event, Operation, Resource
from tests.api.shapes import fits
from tests.resources.conftest import turn
from tests.resources.doubles import MemoryBackend

NOW = datetime.datetime(2026, 11, 23, 10, tzinfo=datetime.UTC)


@pytest.fixture
def url(running: Resource) -> str:
    return f"/api/v1/services/{running.public_id}"


@pytest.mark.django_db
def test_an_operation_ends_with_all_its_steps_done(api: APIClient, order: Callable[..., Operation]) -> None:
    operation = order()
    url = f"/api/v1/operations/{operation.public_id}"
    first = api.get(url)
    assert (first["Retry-After"], first.json()["progress"]["percent"]) == ("1", 0)
    turn(operation.resource)
    ended = api.get(url)
    shown = fits(ended, "OperationJson")
    assert "Retry-After" not in ended
    assert (shown["state"], shown["progress"]["percent"], shown["cancellable"]) == ("succeeded", 100, False)
    assert shown["finished_at"]
    assert shown["error"] is None
    assert shown["requested_by"].startswith("user_")


@pytest.mark.django_db
def test_a_failed_operation_holds_a_problem(
    api: APIClient, order: Callable[..., Operation], kernel: MemoryBackend
) -> None:
    operation = order()
    kernel.obey = False
    Operation.objects.update(deadline_at=NOW - datetime.timedelta(days=9999))
    turn(operation.resource)
    shown = fits(api.get(f"/api/v1/operations/{operation.public_id}"), "OperationJson")
    assert shown["state"] == "timed_out"
    assert shown["error"]["code"] == "operation_timed_out"
    assert {"type", "title", "status", "detail", "instance_usable", "repeatable"} <= set(shown["error"])


@pytest.mark.django_db(transaction=True)
def test_wait_holds_the_answer_until_the_operation_ends(api: APIClient, order: Callable[..., Operation]) -> None:
    operation = order()
    url = f"/api/v1/operations/{operation.public_id}"
    began = time.monotonic()
    assert api.get(f"{url}?wait=1").json()["state"] == "queued"
    assert 0.9 < time.monotonic() - began < 25

    def work() -> None:
        try:
            turn(operation.resource)
        finally:
            connections.close_all()

    worker = threading.Timer(0.3, work)
    worker.start()
    began = time.monotonic()
    assert api.get(f"{url}?wait=30").json()["state"] == "succeeded"
    assert time.monotonic() - began < 25
    worker.join()


@pytest.mark.django_db
def test_wait_and_ids_have_their_bounds(api: APIClient, order: Callable[..., Operation], foreign: Resource) -> None:
    operation = order()
    for wait in ("-1", "301", "x", "1.5"):
        response = api.get(f"/api/v1/operations/{operation.public_id}?wait={wait}")
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "?wait")
    theirs = foreign.operations.get()
    for unknown in (theirs.public_id, str(operation.id), "op_01JB7Q8W5T9X3M4K2N6P7R8S9V"):
        for answer in (api.get(f"/api/v1/operations/{unknown}"), api.post(f"/api/v1/operations/{unknown}/cancel")):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.django_db
def test_an_order_that_has_not_come_to_run_is_cancelled_and_nothing_else_is(
    api: APIClient, order: Callable[..., Operation]
) -> None:
    operation = order()
    url = f"/api/v1/operations/{operation.public_id}/cancel"
    assert api.post(url, {"now": True}).json()["errors"][0]["code"] == "unknown_field"
    assert fits(api.post(url), "OperationJson")["state"] == "cancelled"
    assert api.post(url).json()["code"] == "operation_ended"
    running = turn(order("other").resource)
    restart = api.post(f"/api/v1/services/{running.public_id}/restart").json()["id"]
    response = api.post(f"/api/v1/operations/{restart}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "not_cancellable")


@pytest.mark.django_db
def test_the_operations_of_a_service_are_listed_newest_first(api: APIClient, url: str, running: Resource) -> None:
    api.post(f"{url}/restart")
    page = fits(api.get(f"{url}/operations"), "OperationJson", paged=True)
    assert [item["type"] for item in page["items"]] == ["restart", "create"]
    assert api.get(f"{url}/operations?state=succeeded").json()["total_count"] == 1
    assert api.get(f"{url}/operations?state=nope").status_code == 422


@pytest.mark.django_db
def test_endpoints_say_where_and_how(api: APIClient, url: str) -> None:
    page = fits(api.get(f"{url}/endpoints"), "EndpointJson", paged=True)
    assert [(item["port"], item["usage"], item["tls"]) for item in page["items"]] == [(20001, "primary", True)]


@pytest.mark.django_db
def test_the_log_is_text_within_its_range(
    api: APIClient, url: str, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def logs(handle: str, **range_: Any) -> list[LogLine]:
        asked.update(range_)
        return [LogLine(NOW, "engine", "<b>started</b>"), LogLine(None, "engine", "…")]

    monkeypatch.setattr(kernel, "logs", logs)
    response = api.get(f"{url}/logs?since=2026-11-23T09:00:00Z&until=2026-11-23T12:00:00%2B01:00&limit=7")
    page = fits(response, "LogLineJson", paged=True)
    assert [line["text"] for line in page["items"]] == ["<b>started</b>", "…"]
    assert page["items"][0]["at"] == "2026-11-23T10:00:00.000000Z"
    assert asked == {"since": NOW - datetime.timedelta(hours=1), "until": NOW + datetime.timedelta(hours=1), "limit": 7}
    for query in ("limit=0", "limit=2001", "since=now", "follow=1"):
        assert api.get(f"{url}/logs?{query}").status_code == 422
    late = api.get(f"{url}/logs?since=2026-11-23T09:00:00Z&until=2026-11-22T09:00:00Z")
    assert late.json()["errors"][0]["pointer"] == "?since"


@pytest.mark.django_db
def test_metrics_are_series_of_the_last_hour_by_default(
    api: APIClient, url: str, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def metrics(handle: str, **range_: Any) -> list[Series]:
        asked.update(range_)
        return [Series("cpu", "percent", ((1.0, 2.5), (2.0, 3.5)))]

    monkeypatch.setattr(kernel, "metrics", metrics)
    page = fits(api.get(f"{url}/metrics"), "SeriesJson", paged=True)
    assert page["items"] == [{"name": "cpu", "unit": "percent", "points": [[1.0, 2.5], [2.0, 3.5]]}]
    assert asked["until"] - asked["since"] == datetime.timedelta(hours=1)


@pytest.mark.django_db
def test_a_region_that_does_not_answer_is_a_problem_that_may_be_retried(
    api: APIClient, url: str, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def logs(handle: str, **range_: Any) -> list[LogLine]:
        raise TemporaryError("This region does not answer.")

    monkeypatch.setattr(kernel, "logs", logs)
    response = api.get(f"{url}/logs")
    assert (response.status_code, response.json()["code"], response.json()["retryable"]) == (503, "unavailable", True)
    assert response["Retry-After"]


@pytest.mark.django_db
def test_activity_has_pages_and_a_range(api: APIClient, url: str, running: Resource) -> None:
    Event.objects.bulk_create(
        Event(resource=running, project=running.project, reason="Tick", message=str(n), at=NOW) for n in range(120)
    )
    api.get(url)
    with CaptureQueriesContext(connection) as few:
        api.get(f"{url}/events?limit=2")
    with CaptureQueriesContext(connection) as many:
        page = fits(api.get(f"{url}/events?limit=200"), "EventJson", paged=True)
    assert len(few) == len(many)
    assert page["total_count"] == len(page["items"]) > 120
    inside = api.get(f"{url}/events?since=2026-11-23T10:00:00Z&until=2026-11-23T10:00:01Z")
    assert inside.json()["total_count"] == 120
