"""``Idempotency-Key``: a request acts once, however often it is sent; one that did not act leaves nothing behind."""

import datetime
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.projects.models import Project, ProjectMembership
from portal.resources.api import idempotency
from portal.resources.models import IdempotencyKey, Operation, Resource
from tests.fixtures import limit

ORDERS = "/api/v1/projects/acme-prod/services"
BOX = {"name": "box", "offering": "toy"}


def send(client: APIClient, key: str, body: dict[str, Any] | None = None, url: str = ORDERS) -> Any:
    return client.post(url, body or BOX, format="json", HTTP_IDEMPOTENCY_KEY=key)


@pytest.mark.django_db
def test_the_same_request_is_answered_again_and_acts_once(api: APIClient, project: Project) -> None:
    first, second = send(api, "k-1"), send(api, "k-1", {"offering": "toy", "name": "box"})
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    for header in ("Location", "Retry-After", "Content-Type"):
        assert second[header] == first[header]
    assert (first.get("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (None, "true")
    assert Resource.objects.count() == 1


@pytest.mark.django_db
def test_the_answer_is_the_first_one_even_when_the_world_has_moved_on(api: APIClient, project: Project) -> None:
    first = send(api, "k-1").json()
    Operation.objects.update(state="succeeded")
    assert send(api, "k-1").json() == first


@pytest.mark.django_db
def test_another_body_address_or_query_under_the_same_key_is_refused(api: APIClient, project: Project) -> None:
    service = send(api, "k-1").json()["service"]
    Operation.objects.update(state="succeeded")
    verb = f"/api/v1/services/{service}/restart"
    for answer in (
        send(api, "k-1", {**BOX, "name": "other"}),
        send(api, "k-1", {**BOX, "protected": False}),
        send(api, "k-1", {}, verb),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert api.post(verb, HTTP_IDEMPOTENCY_KEY="k-2").status_code == 202
    assert api.post(f"{verb}?supersede=true", HTTP_IDEMPOTENCY_KEY="k-2").json()["code"] == "idempotency_key_reused"


@pytest.mark.django_db
def test_without_a_key_each_request_acts(api: APIClient, project: Project) -> None:
    assert [api.post("/api/v1/quotes", {"offering": "toy"}).status_code for _ in range(2)] == [200, 200]
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db
def test_a_refused_request_leaves_no_key_and_may_be_mended(api: APIClient, project: Project) -> None:
    assert send(api, "k-1", {**BOX, "plan": "nope"}).status_code == 422
    limit(Project.objects.get(), 0)
    assert send(api, "k-1").json()["code"] == "quota_exceeded"
    limit(Project.objects.get(), 9)
    assert not IdempotencyKey.objects.exists()
    assert send(api, "k-1").status_code == 202


@pytest.mark.django_db
def test_a_crash_undoes_action_and_key_together(
    api: APIClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("killed between action and answer")

    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyKey.objects, "create", crash)
        assert send(api, "k-1").json()["code"] == "internal_error"
    assert not Resource.objects.exists()
    assert send(api, "k-1").status_code == 202
    assert Resource.objects.count() == 1


@pytest.mark.django_db
def test_a_failure_of_the_action_leaves_no_key(
    api: APIClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("portal.resources.actions.order", fail)
        assert send(api, "k-1").status_code == 500
    assert not IdempotencyKey.objects.exists()
    assert send(api, "k-1").status_code == 202


@pytest.mark.django_db
def test_keys_belong_to_an_account(
    api: APIClient, project: Project, owner: User, api_of: Callable[..., APIClient]
) -> None:
    send(api, "k-1")
    other = send(api_of(owner), "k-1", {**BOX, "name": "other"})
    assert (other.status_code, "Idempotency-Replayed" in other) == (202, False)


@pytest.mark.django_db
def test_who_has_lost_access_gets_no_replay(api: APIClient, project: Project) -> None:
    send(api, "k-1")
    ProjectMembership.objects.all().delete()
    assert send(api, "k-1").json()["code"] == "not_found"


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 129])
def test_a_key_that_is_none_is_refused_after_access_has_been_checked(
    api: APIClient, project: Project, viewer: User, api_of: Callable[..., APIClient], key: str
) -> None:
    response = send(api, key)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_idempotency_key")
    assert send(api_of(viewer), key).json()["code"] == "permission_denied"


@pytest.mark.django_db
def test_keys_are_forgotten_after_a_day_and_not_before(api: APIClient, project: Project) -> None:
    send(api, "k-1")
    assert idempotency.forget_old() == 0
    IdempotencyKey.objects.update(created_at=timezone.now() - datetime.timedelta(hours=24, seconds=1))
    assert idempotency.forget_old() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_acts_and_all_get_its_answer(
    api: APIClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 60_000)  # however long the first one takes here
    answers: list[Any] = []
    together = threading.Barrier(5)

    def call() -> None:
        client = APIClient()
        client.credentials(**api._credentials)
        together.wait()
        try:
            answers.append(send(client, "k-1"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [202] * 5
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Resource.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_comes_while_the_first_is_still_running_is_told_so(
    api: APIClient, project: Project, developer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 50)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            idempotency._lock(developer.id, "k-1")
            held.set()
            done.wait(10)
        connections.close_all()

    first = threading.Thread(target=hold)
    first.start()
    assert held.wait(10)
    second = send(api, "k-1")
    done.set()
    first.join()
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_flight")
    assert second.json()["retryable"] is True
    assert send(api, "k-1").status_code == 202
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
