"""How the API finds out who asks."""

import datetime
from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts import token_format
from portal.accounts.models import ApiToken, User
from tests.fixtures import token_of

ME = "/api/v1/me"


def bearer(plain: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {plain}"})


def test_a_token_says_who_asks(developer: User) -> None:
    _token, plain = token_of(developer)
    assert bearer(plain).get(ME).json()["email"] == developer.email
    assert bearer(token_format.new_token()).get(ME).status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("change", ["revoked_at", "expires_at"])
def test_a_dead_token_is_401_with_a_challenge(developer: User, change: str) -> None:
    _token, plain = token_of(developer)
    ApiToken.objects.update(**{change: timezone.now()})
    answer = bearer(plain).get(ME)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer["WWW-Authenticate"] == 'Bearer realm="Archipel"'
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_token"


def test_the_token_of_somebody_shut_out_is_401(developer: User) -> None:
    _token, plain = token_of(developer)
    User.objects.update(is_active=False)
    assert bearer(plain).get(ME).status_code == HTTPStatus.UNAUTHORIZED


def test_a_look_alike_costs_no_query(db: None, django_assert_num_queries: Callable[[int], object]) -> None:
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert bearer("arc_" + "0" * 36).get(ME).status_code == HTTPStatus.UNAUTHORIZED


def test_nobody_is_asked_for_a_token(db: None) -> None:
    answer = APIClient().get(ME)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.json()["code"] == "authentication_required"


def test_use_is_noted_once_a_minute(developer: User) -> None:
    token, plain = token_of(developer)
    bearer(plain).get(ME)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    bearer(plain).get(ME)
    token.refresh_from_db()
    assert token.last_used_at == first
    ApiToken.objects.update(last_used_at=first - datetime.timedelta(minutes=2))
    bearer(plain).get(ME)
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert token.last_used_at > first - datetime.timedelta(minutes=1)


def test_a_session_needs_the_csrf_token_for_what_writes(owner: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.get(ME).status_code == HTTPStatus.OK
    body = {"name": "x", "organization": "acme"}
    assert client.post("/api/v1/projects", body, format="json").status_code == HTTPStatus.FORBIDDEN
    client.get("/account/tokens")
    csrf = client.cookies["csrftoken"].value
    made = client.post("/api/v1/projects", body, format="json", headers={"X-CSRFToken": csrf})
    assert made.status_code == HTTPStatus.CREATED


def test_a_session_is_not_believed_from_another_site(owner: User) -> None:
    client = Client()
    client.force_login(owner)
    assert client.get(ME, headers={"Sec-Fetch-Site": "same-origin"}).status_code == HTTPStatus.OK
    assert client.get(ME, headers={"Sec-Fetch-Site": "cross-site"}).status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    "header", ["X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-Email", "Impersonate-User"]
)
def test_headers_that_name_a_user_are_not_read(owner: User, developer: User, header: str) -> None:
    named = {header: owner.email}
    assert APIClient().get(ME, headers=named).status_code == HTTPStatus.UNAUTHORIZED
    assert Client().get("/account/tokens", headers=named).status_code == HTTPStatus.FOUND
    _token, plain = token_of(developer)
    assert bearer(plain).get(ME, headers=named).json()["email"] == developer.email


def test_the_address_is_the_connection_s_own(owner: User) -> None:
    from portal.audit.models import AuditEvent

    _token, plain = token_of(owner)
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    bearer(plain).post("/api/v1/projects", {"name": "x", "organization": "acme"}, format="json", headers=headers)
    assert AuditEvent.objects.get(action="project.create").address == "127.0.0.1"
