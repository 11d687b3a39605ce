"""Webhooks as an organization's admins handle them: by page and API, with secrets shown once and addresses checked."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient
from standardwebhooks import Webhook as Verifier

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.notify.models import Delivery, Webhook
from portal.projects.models import Organization, Project
from tests.core.receiver import Receiver
from tests.core.test_outbound import ODD, PUBLIC, UNFIT_ADDRESSES, answering

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
ApiOf = Callable[..., APIClient]
LIST = "/api/v1/organizations/acme/webhooks"
URL = f"https://{PUBLIC}/hook/with-a-token-in-it"


def make(api: APIClient, **body: Any) -> dict[str, Any]:
    answer = api.post(LIST, {"url": URL, **body}, format="json")
    assert answer.status_code == 201, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def test_the_api_makes_shows_changes_and_deletes(owner: User, project: Project, api_of: ApiOf) -> None:
    api = api_of(owner)
    made = make(api, description="Chat", event_types=["backup.failed"], project="acme-prod")
    assert made["secret"].startswith("whsec_")
    assert (made["project"], made["event_types"], made["enabled"]) == (project.public_id, ["backup.failed"], True)
    one = f"{LIST}/{made['id']}"
    shown = api.get(one).json()
    assert "secret" not in shown
    assert api.get(LIST).json()["items"] == [shown]
    changed = api.patch(one, {"description": "Other", "event_types": [], "enabled": False}, format="json").json()
    assert (changed["description"], changed["event_types"], changed["enabled"], changed["secret"]) == (
        "Other",
        [],
        False,
        None,
    )
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    done = AuditEvent.objects.filter(target_kind="webhook", outcome="done").order_by("id")
    assert [row.action for row in done] == ["webhook.create", "webhook.change", "webhook.delete"]
    assert "with-a-token-in-it" not in str(list(done.values()))


def named(answer: Any) -> list[str]:
    """Return the fields that an answer names as wrong."""
    return [error["pointer"] for error in answer.json().get("errors", ())]


def rows_as_text() -> str:
    """Return what the tables hold that know of webhooks."""
    found = ""
    with connection.cursor() as cursor:
        for table in ("notify_webhook", "audit_auditevent"):
            cursor.execute(f"SELECT to_jsonb(row)::text FROM {table} AS row")
            found += "".join(line for (line,) in cursor.fetchall())
    return found


def test_a_secret_is_told_once_and_sealed_in_the_row(owner: User, api_of: ApiOf) -> None:
    api = api_of(owner)
    made = make(api)
    kept = rows_as_text()
    rotated = api.post(f"{LIST}/{made['id']}/rotate", format="json").json()
    kept += rows_as_text()
    moved = api.patch(f"{LIST}/{made['id']}", {"url": f"{URL}/2"}, format="json").json()
    kept += rows_as_text()
    secrets = {made["secret"], rotated["secret"], moved["secret"]}
    assert len(secrets) == 3
    read = api.get(LIST).text + api.get(f"{LIST}/{made['id']}").text + kept
    assert [secret for secret in secrets if secret in read or secret.removeprefix("whsec_") in read] == []
    assert all(24 <= len(Verifier(secret)._whsecret) <= 64 for secret in secrets)


@pytest.mark.parametrize("name", ["member", "developer", "billing", "auditor"])
def test_members_without_the_right_are_refused_and_strangers_see_nothing(
    name: str, owner: User, stranger: User, request: pytest.FixtureRequest, api_of: ApiOf, client_of: ClientOf
) -> None:
    made, who = make(api_of(owner)), request.getfixturevalue(name)
    one = f"{LIST}/{made['id']}"
    for method, path in (("get", LIST), ("post", LIST), ("get", one), ("patch", one), ("delete", one)):
        assert getattr(api_of(who), method)(path, format="json").status_code == 403
        assert getattr(api_of(stranger), method)(path, format="json").status_code == 404
    for path in ("", "/new", f"/{made['id']}"):
        assert client_of(who).get(f"/organizations/acme/webhooks{path}").status_code == 403
        assert client_of(owner).get(f"/organizations/acme/webhooks{path}").status_code == 200
    assert api_of(owner, "read").post(LIST, {"url": URL}, format="json").status_code == 403
    assert Webhook.objects.count() == 1


def test_another_organization_s_webhook_is_not_there_under_one_s_own_path(
    owner: User, stranger: User, other_organization: Organization, api_of: ApiOf
) -> None:
    made = make(api_of(owner))
    path = f"/api/v1/organizations/other/webhooks/{made['id']}"
    for method, more in (("get", ""), ("patch", ""), ("delete", ""), ("post", "/rotate"), ("post", "/test")):
        assert getattr(api_of(stranger), method)(path + more, format="json").status_code == 404
    assert Webhook.objects.filter(id__isnull=False).count() == 1


@pytest.mark.parametrize("address", [*UNFIT_ADDRESSES[:12], *UNFIT_ADDRESSES[-14:]])
def test_no_unfit_address_comes_in_by_create_or_update(
    owner: User, api_of: ApiOf, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Security case 11, what is typed: the rest of the corpus is asked of the same check in ``test_outbound``."""
    api = api_of(owner)
    made = make(api)
    monkeypatch.setattr(socket, "getaddrinfo", answering(address))
    for url in (f"https://{'[' + address + ']' if ':' in address else address}/", "https://hooks.example.org/"):
        for method, path in (("post", LIST), ("patch", f"{LIST}/{made['id']}")):
            answer = getattr(api, method)(path, {"url": url}, format="json")
            assert (answer.status_code, named(answer)) == (422, ["/url"])
    assert Webhook.objects.get().url == URL


@pytest.mark.parametrize(
    "url", ["https://hooks.example.org/", *list(ODD)[:6], "https://user:secret@hooks.example.org/"]
)
def test_create_and_update_name_the_field_when_a_name_is_unknown_or_odd(
    owner: User, api_of: ApiOf, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    def broken(*asked: Any, **how: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    api = api_of(owner)
    made = make(api)
    monkeypatch.setattr(socket, "getaddrinfo", broken)
    for method, path in (("post", LIST), ("patch", f"{LIST}/{made['id']}")):
        assert getattr(api, method)(path, {"url": url}, format="json").json()["errors"][0]["pointer"] == "/url"
    page = client_of(owner).post("/organizations/acme/webhooks/new", {"url": url, "enabled": "on"})
    assert page.status_code == 422
    assert 'id="id_url_error"' in page.text
    assert Webhook.objects.count() == 1


def test_test_and_delivery_refuse_an_address_that_is_unfit_by_then(
    hook: Webhook, receiver: Receiver, owner: User, api_of: ApiOf, deliver: Callable[..., bool], settings: Settings
) -> None:
    """Security case 11, where it goes: what was fit when it was typed is looked at again."""
    api, one = api_of(owner), f"{LIST}/{hook.public_id}"
    assert api.post(f"{one}/test", format="json").status_code == 201
    deliver()
    assert len(receiver.got) == 1
    settings.OUTBOUND_NETWORKS = []
    for path in (f"{one}/test", f"{one}/deliveries/{Delivery.objects.get().public_id}/replay"):
        assert api.post(path, format="json").status_code == 201
        deliver()
    assert len(receiver.got) == 1
    tries = [row for item in api.get(f"{one}/deliveries").json()["items"] for row in item["attempts"]]
    assert sorted((row["status"] or 0) for row in tries) == [0, 0, 200]


def test_the_log_tells_each_try_and_a_replay_is_answered_once(
    hook: Webhook, receiver: Receiver, owner: User, api_of: ApiOf, deliver: Callable[..., bool], emitted: Any
) -> None:
    api, one = api_of(owner), f"{LIST}/{hook.public_id}"
    receiver.status = 500
    emitted("backup.failed")
    deliver()
    item = api.get(f"{one}/deliveries").json()["items"][0]
    assert (item["state"], item["type"], item["attempts"][0]["status"]) == ("pending", "backup.failed", 500)
    replay = f"{one}/deliveries/{item['id']}/replay"
    assert api.post(replay, format="json").json()["code"] == "still_pending"
    Delivery.objects.update(state="failed")
    answers = [api.post(replay, format="json", HTTP_IDEMPOTENCY_KEY="again").json() for _number in range(2)]
    assert answers[0] == answers[1]
    assert (Delivery.objects.count(), answers[0]["event"]) == (2, item["event"])
    assert api.get(f"{one}/deliveries/{item['id']}").json()["next_attempt_at"] is None


def test_pages_make_one_show_its_secret_once_and_change_it(owner: User, client_of: ClientOf) -> None:
    client, at = client_of(owner), "/organizations/acme/webhooks"
    assert "No webhooks yet" in client.get(at).text
    page = client.post(f"{at}/new", {"url": URL, "description": "Chat", "enabled": "on"})
    assert "whsec_" in page.text
    assert "no-store" in page.headers["Cache-Control"]
    made = Webhook.objects.get()
    one = f"{at}/{made.public_id}"
    assert "whsec_" not in client.get(one).text
    assert "with-a-token-in-it" not in client.get(at).text
    edited = client.post(f"{one}/edit", {"url": URL, "description": "Other", "event_types": "backup.failed"})
    assert edited.status_code == 302
    made.refresh_from_db()
    assert (made.description, made.event_types, made.enabled) == ("Other", ["backup.failed"], False)
    assert "whsec_" in client.post(f"{one}/edit", {"url": f"{URL}/2", "enabled": "on"}).text
    assert "whsec_" in client.post(f"{one}/rotate").text
    assert "signs as well until" in client.get(one).text
    tested = client.post(f"{one}/test").headers["Location"]
    assert "Not tried yet" in client.get(tested).text
    assert client.post(f"{one}/delete").headers["Location"] == at
    assert not Webhook.objects.exists()


def test_odd_bodies_are_refused_and_the_number_is_limited(
    owner: User, api_of: ApiOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = api_of(owner)
    for body, pointer in (
        ({}, "/url"),
        ({"url": URL, "event_types": ["made.up"]}, "/event_types/0"),
        ({"url": URL, "description": "a\u202eb"}, "/description"),
        ({"url": URL, "project": "other-prod"}, "/project"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret"),
        ({"url": URL, "organization_id": "x"}, "/organization_id"),
    ):
        answer = api.post(LIST, body, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    monkeypatch.setattr("portal.notify.actions.webhooks.MOST", 1)
    make(api)
    assert api.post(LIST, {"url": URL}, format="json").json()["code"] == "too_many"


def test_a_closed_organization_gets_no_new_ones(owner: User, organization: Organization, api_of: ApiOf) -> None:
    make(api_of(owner))
    Organization.objects.update(closed_at=organization.created_at)
    assert api_of(owner).post(LIST, {"url": URL}, format="json").json()["code"] == "organization_closed"


def test_a_list_takes_as_many_queries_for_many_as_for_few(
    owner: User, client_of: ClientOf, api_of: ApiOf, django_assert_max_num_queries: Any
) -> None:
    api, client, taken = api_of(owner), client_of(owner), []
    for number in (1, 15):
        for _each in range(number):
            make(api)
        with django_assert_max_num_queries(40) as captured:
            client.get("/organizations/acme/webhooks")
        taken.append(len(captured))
    assert taken[0] >= taken[1]
