"""Second factors: asked for at every way in, enrolled, shown once, sealed, asked for by the admin site."""

import re
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts import actions, second_factor
from portal.accounts.models import User
from portal.core import vault
from tests.accounts.ways import SECRET, acts, by_password, code_of, enroll, factors, is_in, with_password

ClientOf = Callable[[User], Client]


@pytest.fixture(autouse=True)
def by_link(settings: Settings) -> None:
    settings.SIGN_IN_BY_LINK = True
    settings.BASE_URL = "http://127.0.0.1:8000"


def test_a_password_alone_does_not_get_past_an_enrolled_factor(owner: User) -> None:
    enroll(with_password(owner))
    client = Client()
    answer = by_password(client, owner, next="/audit")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/second-factor")
    assert not is_in(client)
    assert "Use a passkey instead" not in client.get(answer["Location"]).content.decode()  # there is none
    assert client.get("/services").status_code == 302
    wrong = client.post("/sign-in/second-factor", {"code": "000000"})
    assert wrong.status_code == 422
    assert not is_in(client)
    right = client.post("/sign-in/second-factor", {"code": code_of()})
    assert (right.status_code, right["Location"]) == (302, "/audit")
    assert is_in(client)
    assert acts(owner) == ["user.sign_in"]
    assert acts(owner, outcome="denied") == ["user.second_factor"]


def test_a_one_time_link_does_not_get_past_it_either(owner: User) -> None:
    enroll(owner)
    client = Client()
    answer = client.post(actions.new_sign_in_link(email=owner.email))
    assert answer["Location"] == "/sign-in/second-factor"
    assert not is_in(client)
    client.post("/sign-in/second-factor", {"code": code_of()})
    assert is_in(client)


def test_a_code_works_once(owner: User) -> None:
    enroll(with_password(owner))
    first, second = Client(), Client()
    code = code_of()
    for client in (first, second):
        by_password(client, owner)
        client.post("/sign-in/second-factor", {"code": code})
    assert is_in(first)
    assert not is_in(second)


def test_a_recovery_code_gets_in_once(owner: User) -> None:
    code, other = enroll(with_password(owner))[:2]
    for given, expected in ((code, True), (code, False), (other, True)):
        client = Client()
        by_password(client, owner)
        client.post("/sign-in/second-factor", {"code": given})
        assert (given, is_in(client)) == (given, expected)


def test_guessing_codes_is_stopped_although_the_password_is_right(owner: User) -> None:
    enroll(with_password(owner))
    client = Client()
    by_password(client, owner)
    for _try in range(5):
        client.post("/sign-in/second-factor", {"code": "000000"})
    client.post("/sign-in/second-factor", {"code": code_of()})
    assert not is_in(client)


def test_giving_up_half_way_leaves_nothing_to_go_on_with(owner: User) -> None:
    enroll(with_password(owner))
    client = Client()
    by_password(client, owner)
    assert client.post("/sign-out")["Location"] == "/sign-in"
    answer = client.post("/sign-in/second-factor", {"code": code_of()})
    assert answer["Location"] == "/sign-in"
    assert not is_in(client)


@pytest.mark.django_db(transaction=True)  # what follows an enrollment waits for its commit
def test_an_app_is_enrolled_by_its_first_code_and_makes_the_session_strong(owner: User) -> None:
    client = Client()
    client.post(actions.new_sign_in_link(email=owner.email))
    page = client.get("/account/security/app").content.decode()
    shown = re.search(r"[A-Z2-7]{32}", page)
    assert shown
    assert "<svg" in page
    assert shown[0] not in str(dict(client.session.items()))  # sealed while it waits
    assert client.post("/account/security/app", {"code": "000000"}).status_code == 422
    answer = client.post("/account/security/app", {"code": code_of(shown[0])})
    assert answer["Location"] == "/account/security/codes"
    assert factors(owner) == {"totp", "recovery_codes"}
    assert any(record["method"] == "mfa" for record in client.session["account_authentication_methods"])
    assert acts(owner)[-2:] == ["user.factor_add", "user.factor_add"]


def test_secrets_of_factors_are_sealed_in_their_columns(owner: User) -> None:
    codes = enroll(owner)
    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator")
        kept = " ".join(text for (text,) in cursor.fetchall())
    assert SECRET not in kept
    assert not [code for code in codes if code in kept]
    app = Authenticator.objects.get(user=owner, type="totp")
    assert vault.unseal(app.data["secret"]) == SECRET


@pytest.mark.django_db(transaction=True)
def test_recovery_codes_are_shown_once_and_can_be_made_anew(owner: User, client_of: ClientOf) -> None:
    codes = enroll(owner)
    client = client_of(owner)
    first, again = (client.get("/account/security/codes").content.decode() for _look in range(2))
    assert all(code in first for code in codes)
    assert "download=" in first
    assert not [code for code in codes if code in again]
    assert client.post("/account/security/codes/new").status_code == 302
    anew = client.get("/account/security/codes").content.decode()
    assert not [code for code in codes if code in anew]
    assert acts(owner) == ["user.factor_renew"]


def test_removing_the_last_factor_takes_the_recovery_codes_along(owner: User, client_of: ClientOf) -> None:
    enroll(owner)
    client = client_of(owner)
    assert client.post("/account/security/app/remove").status_code == 302
    assert factors(owner) == set()
    assert acts(owner) == ["user.factor_remove", "user.factor_remove"]


def test_the_passkey_of_somebody_else_is_not_there(owner: User, stranger: User, client_of: ClientOf) -> None:
    theirs = Authenticator.objects.create(user=stranger, type="webauthn", data={"name": "x", "credential": {}})
    client = client_of(owner)
    for act in ("edit", "remove"):
        for answer in (
            client.get(f"/account/security/passkeys/{theirs.pk}/{act}"),
            client.post(f"/account/security/passkeys/{theirs.pk}/{act}", {"name": "mine"}),
        ):
            assert answer.status_code == 404
    assert Authenticator.objects.get(pk=theirs.pk).data["name"] == "x"


@pytest.mark.django_db(transaction=True)
def test_the_admin_site_takes_a_second_factor_and_leads_there_and_back(operator: User) -> None:
    client = Client()
    client.post(actions.new_sign_in_link(email=operator.email))
    goal = "/admin/accounts/user/"
    asked = client.get(goal, follow=True)
    assert asked.redirect_chain[-1][0] == "/account/security?required=1"
    shown = re.search(r"[A-Z2-7]{32}", client.get("/account/security/app").content.decode())
    assert shown
    client.post("/account/security/app", {"code": code_of(shown[0])})
    assert f'href="{goal}"' in client.get("/account/security/codes").content.decode()
    assert client.get(goal).status_code == 200
    Authenticator.objects.all().delete()
    assert client.get(goal).status_code == 302


def test_a_session_from_before_is_asked_for_the_factor(operator: User) -> None:
    with_password(operator)
    client = Client()
    by_password(client, operator)
    enroll(operator)
    asked = client.get("/admin/", follow=True)
    assert asked.redirect_chain[-1][0] == "/account/confirm/code?next=%2Fadmin%2F"
    assert client.post("/account/confirm/code?next=/admin/", {"code": code_of()})["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_somebody_who_is_no_operator_is_refused_there_and_not_led_to_enroll(owner: User, client_of: ClientOf) -> None:
    enroll(owner)
    assert client_of(owner).get("/admin/", follow=True).status_code == 403


def test_strength_is_of_this_session_and_ends_with_the_factor(owner: User) -> None:
    assert not second_factor.has_second_factor(owner)
    Authenticator.objects.create(user=owner, type="recovery_codes", data={}, created_at=timezone.now())
    assert not second_factor.has_second_factor(owner)
    enroll_app = Authenticator.objects.create(user=owner, type="totp", data={"secret": ""})
    assert second_factor.has_second_factor(owner)
    enroll_app.delete()
    assert not second_factor.has_second_factor(owner)
