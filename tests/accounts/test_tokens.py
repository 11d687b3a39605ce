"""Tokens: made, listed, revoked, by page and API; a scoped one never reaches a stronger one."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from portal.accounts import actions, queries, reauthentication
from portal.accounts.models import ApiToken, User, digest
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from tests.fixtures import token_of

TOKENS = "/api/v1/tokens"
ActorOf = Callable[..., Actor]
ApiOf = Callable[..., APIClient]


def test_a_token_is_stored_as_a_digest_and_told_once(developer: User, actor_of: ActorOf) -> None:
    token, plain = actions.create_token(actor_of(developer), name=" CI ", scopes=["write", "read"])
    assert token.digest == digest(plain)
    assert token.hint == plain[:8]
    assert token.name == "CI"
    assert token.scopes == ["read", "write"]
    event = AuditEvent.objects.get(action="token.create")
    assert (event.target_id, event.actor_id) == (token.id, developer.id)
    assert plain not in str(event.__dict__)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"scopes": ["read", "root"]}, "/scopes/1"),
        ({"expires_at": timezone.now() - datetime.timedelta(1)}, "/expires_at"),
    ],
)
def test_it_refuses_a_token_that_makes_no_sense(
    developer: User, actor_of: ActorOf, fields: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Problem) as refusal:
        actions.create_token(actor_of(developer), **{"name": "CI", **fields})
    assert refusal.value.errors[0].pointer == pointer
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("holder", "wanted", "allowed"),
    [
        (["write"], ["read"], True),
        (["write"], [], False),
        (["read"], ["read"], False),
        (["project:acme-prod"], ["project:acme-prod"], True),
        (["project:acme-prod"], ["project:other-prod"], False),
        (["project:acme-prod"], ["write"], False),
    ],
)
def test_a_scoped_token_makes_none_that_is_stronger(
    developer: User, api_of: ApiOf, holder: list[str], wanted: list[str], allowed: bool
) -> None:
    answer = api_of(developer, *holder).post(TOKENS, {"name": "more", "scopes": wanted}, format="json")
    assert answer.status_code == (201 if allowed else 403)
    assert ApiToken.objects.filter(name="more").exists() is allowed
    assert AuditEvent.objects.filter(action="token.create", outcome="denied").exists() is not allowed


def test_a_token_makes_none_that_outlives_it(developer: User) -> None:
    token, plain = token_of(developer)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() + datetime.timedelta(days=1))
    client = APIClient(headers={"Authorization": f"Bearer {plain}"})
    assert client.post(TOKENS, {"name": "for ever"}, format="json").status_code == 403
    soon = (timezone.now() + datetime.timedelta(hours=1)).isoformat()
    assert client.post(TOKENS, {"name": "soon", "expires_at": soon}, format="json").status_code == 201


def test_a_scoped_token_lists_and_revokes_none_that_is_stronger(developer: User, api_of: ApiOf) -> None:
    strong, _plain = token_of(developer, name="strong")
    weak, _plain = token_of(developer, "read", "project:acme-prod", name="weak")
    client = api_of(developer, "project:acme-prod")
    assert [item["name"] for item in client.get(TOKENS).json()["items"]] == ["test", "weak"]
    assert client.delete(f"{TOKENS}/{strong.public_id}").status_code == 404
    assert client.delete(f"{TOKENS}/{weak.public_id}").status_code == 204
    assert api_of(developer).get(TOKENS).json()["total_count"] == 3


def test_nobody_reaches_the_token_of_another(developer: User, stranger: User, api_of: ApiOf) -> None:
    token, _plain = token_of(developer)
    foreign = api_of(stranger).delete(f"{TOKENS}/{token.public_id}")
    unknown = api_of(stranger).delete(f"{TOKENS}/tok_{'0' * 26}")
    assert foreign.status_code == unknown.status_code == 404
    assert without_trace(foreign.json()) == without_trace(unknown.json())
    assert api_of(developer).delete(f"{TOKENS}/{token.public_id}").status_code == 204


def without_trace(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("trace_id", "instance")}


def test_a_revoked_token_stops_at_once(developer: User, api_of: ApiOf) -> None:
    client = api_of(developer)
    token = ApiToken.objects.get()
    assert client.get(TOKENS).status_code == 200
    assert client.delete(f"{TOKENS}/{token.public_id}").status_code == 204
    assert client.get(TOKENS).status_code == 401


def test_the_api_tells_the_secret_once_and_never_a_digest(developer: User, api_of: ApiOf) -> None:
    client = api_of(developer)
    made = client.post(TOKENS, {"name": "CI", "scopes": ["read"]}, format="json")
    body = made.json()
    assert made["Location"] == f"{TOKENS}/{body['id']}"
    listed = client.get(TOKENS).content.decode()
    assert body["token"] not in listed
    assert digest(body["token"]) not in listed + made.content.decode()
    assert APIClient(headers={"Authorization": f"Bearer {body['token']}"}).get(TOKENS).status_code == 200


def test_every_model_field_posted_to_the_api_changes_nothing_undeclared(
    developer: User, stranger: User, api_of: ApiOf
) -> None:
    client = api_of(developer)
    for name in {field.name for field in ApiToken._meta.get_fields()} - {"name", "scopes", "expires_at"}:
        answer = client.post(TOKENS, {"name": "CI", name: str(stranger.id)}, format="json")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{name}"
    assert ApiToken.objects.count() == 1


def test_the_page_makes_lists_and_revokes(developer: User, client_of: Callable[[User], Client]) -> None:
    client = client_of(developer)
    form = {"name": "Terraform", "access": "write", "projects": "acme-prod", "expires": "30"}
    page = client.post("/account/tokens", form)
    token = ApiToken.objects.get()
    assert token.scopes == ["project:acme-prod", "write"]
    assert page["Cache-Control"].count("no-store") == 1
    assert page.content.decode().count("arc_") >= 1
    again = client.get("/account/tokens").content.decode()
    assert "Terraform" in again
    assert token.hint in again
    assert again.count("arc_") == 1  # the hint alone
    client.post(f"/account/tokens/{token.public_id}/revoke")
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_the_page_says_what_is_wrong(developer: User, client_of: Callable[[User], Client]) -> None:
    page = client_of(developer).post("/account/tokens", {"name": "x", "access": "read", "projects": "other-prod"})
    assert page.status_code == 422
    assert "other-prod is not one of the available choices" in page.content.decode()
    assert not ApiToken.objects.exists()


def test_the_page_offers_one_s_own_projects_alone(
    developer: User, stranger: User, client_of: Callable[[User], Client]
) -> None:
    page = client_of(developer).get("/account/tokens").content.decode()
    assert "No tokens yet" in page
    assert "Acme production" in page
    assert "Other production" not in page
    assert "Other production" in client_of(stranger).get("/account/tokens").content.decode()


@pytest.mark.parametrize(("days", "mark"), [(3, "Soon"), (30, ""), (None, "Never")])
def test_the_page_marks_what_ends_soon_and_what_never_ends(
    developer: User, client_of: Callable[[User], Client], days: int | None, mark: str
) -> None:
    token, _plain = token_of(developer)
    end = timezone.now() + datetime.timedelta(days=days) if days else None
    ApiToken.objects.filter(pk=token.pk).update(expires_at=end)
    table = (
        client_of(developer).get("/account/tokens").content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    )
    assert {word for word in ("Soon", "Never") if word in table} == ({mark} if mark else set())


def test_the_last_use_is_written_once_a_minute(developer: User) -> None:
    token, plain = token_of(developer)
    client = APIClient(headers={"Authorization": f"Bearer {plain}"})
    assert client.get(TOKENS).json()["items"][0]["last_used_at"] is not None
    for ago, is_written in ((30, False), (61, True)):
        before = timezone.now() - datetime.timedelta(seconds=ago)
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=before)
        client.get(TOKENS)
        token.refresh_from_db()
        assert (token.last_used_at != before) is is_written


def test_each_token_has_a_limit_of_its_own_and_is_told_of_it(
    developer: User, api_of: ApiOf, settings: Settings
) -> None:
    settings.API_RATE, settings.API_BURST = 0.01, 2  # nothing comes back while these are asked
    one, other = api_of(developer), api_of(developer)
    left = [one.get(TOKENS)["RateLimit"].partition(";t=")[0] for _request in range(2)]
    assert left == ['"default";r=1', '"default";r=0']
    refused = one.get(TOKENS)
    assert (refused.status_code, refused["RateLimit-Policy"]) == (429, '"default";q=2;w=200')
    assert int(refused["Retry-After"]) >= 1
    assert other.get(TOKENS).status_code == 200


def test_making_one_asks_who_it_is_where_that_was_long_ago(
    developer: User, client_of: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, form = client_of(developer), {"name": "late", "access": "read", "expires": "30"}
    with monkeypatch.context() as patch:
        patch.setattr(reauthentication, "FRESH", -1)
        patch.setattr(reauthentication, "RECENT", -1)
        asked = client.post("/account/tokens", form)
    assert (asked.status_code, ApiToken.objects.exists()) == (302, False)
    assert asked["Location"].startswith("/account/confirm")
    assert client.post("/account/tokens", form).status_code == 200
    assert ApiToken.objects.exists()


def test_listing_hides_what_is_dead(developer: User, actor_of: ActorOf) -> None:
    token, _plain = token_of(developer)
    assert list(queries.living_tokens(actor_of(developer))) == [token]
    ApiToken.objects.update(expires_at=timezone.now())
    assert not queries.living_tokens(actor_of(developer)).exists()
