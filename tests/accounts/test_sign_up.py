"""Making an account by oneself, forgotten passwords, a new mail address: each by a code that came by mail."""

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from portal.accounts import addresses
from portal.accounts.models import User
from tests.accounts.ways import PASSWORD, acts, by_password, code_in_mail, enroll, is_in, with_password

pytestmark = pytest.mark.django_db
NEW = {"email": "New@new.example", "password1": PASSWORD}
OTHER = "another correct horse"


@pytest.fixture(autouse=True)
def in_memory(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def test_somebody_signs_up_confirms_by_code_and_is_led_on() -> None:
    client = Client()
    answer = client.post("/sign-up?next=/welcome", NEW)
    assert answer["Location"] == "/confirm-address"
    assert not is_in(client)
    assert client.post("/confirm-address", {"code": "WRONG1"}).status_code == 422
    answer = client.post("/confirm-address", {"code": code_in_mail("new@new.example")})
    assert answer["Location"] == "/welcome"
    assert is_in(client)
    user = User.objects.get()
    assert (user.email, user.is_operator, user.is_support) == ("new@new.example", False, False)
    assert addresses.proven(user) == {"new@new.example"}
    assert acts(user) == ["user.sign_up", "user.sign_in"]
    assert acts(user, outcome="denied") == ["user.email_confirm"]
    assert client.get("/account/security/app").status_code == 200  # which takes a recent proof: this was one


def test_without_the_code_nobody_gets_in_however_right_the_password_is() -> None:
    Client().post("/sign-up", NEW)
    cache.clear()  # another ten seconds have passed: the next code may go out
    user = User.objects.get()
    client = Client()
    assert by_password(client, user)["Location"] == "/confirm-address"
    assert not is_in(client)
    assert addresses.proven(user) == set()


def test_a_form_that_says_more_makes_nobody_an_operator() -> None:
    more = {"is_operator": "1", "is_support": "1", "is_superuser": "1", "machine_of": "", "id": "1"}
    Client().post("/sign-up", {**NEW, **more})
    user = User.objects.get()
    assert (user.is_operator, user.is_support, user.is_superuser, user.is_staff) == (False, False, False, False)


def test_signing_up_tells_nobody_who_has_an_account(owner: User) -> None:
    addresses.settle(owner)
    known, unknown = Client(), Client()
    answers = [
        known.post("/sign-up", {"email": owner.email, "password1": PASSWORD}),
        unknown.post("/sign-up", NEW),
    ]
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, "/confirm-address")] * 2
    pages = [client.get("/confirm-address").content.decode() for client in (known, unknown)]
    assert [page.count("Confirm your mail address") for page in pages] == [
        pages[0].count("Confirm your mail address")
    ] * 2
    assert "has an account already" in next(m.body for m in mail.outbox if owner.email in m.to)
    assert User.objects.filter(email=owner.email).count() == 1


def test_asking_for_a_password_tells_nobody_either(owner: User) -> None:
    answers = [Client().post("/password/forgotten", {"email": to}) for to in (owner.email, "nobody@new.example")]
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, "/password/code")] * 2


def test_with_sign_up_off_only_the_invited_address_will_do(settings: Settings) -> None:
    settings.SIGN_UP = False
    stranger = Client()
    assert "By invitation" in stranger.get("/sign-up").content.decode()
    stranger.post("/sign-up", NEW)
    assert not User.objects.exists()
    invited = Client()
    session = invited.session
    session["invited"] = "new@new.example"
    session.save()
    assert invited.post("/sign-up", {**NEW, "email": "other@new.example"}).status_code == 422
    assert not User.objects.exists()
    assert invited.post("/sign-up", NEW).status_code == 302
    assert User.objects.get().email == "new@new.example"


@pytest.mark.parametrize("password", ["short", "password1234", "new@new.example"])
def test_a_weak_password_is_refused(password: str) -> None:
    assert Client().post("/sign-up", {**NEW, "password1": password}).status_code == 422
    assert not User.objects.exists()


def test_a_forgotten_password_is_set_anew_by_code_and_ends_all_sessions(owner: User) -> None:
    with_password(owner)
    old, client = Client(), Client()
    by_password(old, owner)
    client.post("/password/forgotten", {"email": owner.email})
    assert client.post("/password/code", {"code": "WRONG1"}).status_code == 422
    answer = client.post("/password/code", {"code": code_in_mail(owner.email)})
    assert answer["Location"] == "/password/new"
    answer = client.post("/password/new", {"password1": OTHER, "password2": OTHER})
    assert answer["Location"] == "/password/done"
    assert not is_in(client)
    assert old.get("/account").status_code == 302
    assert client.post("/sign-in", {"email": owner.email, "password": PASSWORD}).status_code == 422
    assert client.post("/sign-in", {"email": owner.email, "password": OTHER}).status_code == 302
    assert acts(owner)[-2:] == ["user.password_change", "user.sign_in"]


def test_a_new_password_by_mail_does_not_get_past_a_second_factor(owner: User) -> None:
    enroll(with_password(owner))
    client = Client()
    client.post("/password/forgotten", {"email": owner.email})
    client.post("/password/code", {"code": code_in_mail(owner.email)})
    client.post("/password/new", {"password1": OTHER, "password2": OTHER})
    answer = client.post("/sign-in", {"email": owner.email, "password": OTHER})
    assert answer["Location"] == "/sign-in/second-factor"
    assert not is_in(client)


def test_no_code_goes_to_a_service_account_or_somebody_shut_out(owner: User) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=owner.memberships.get().organization_id)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    for email in (machine.email, owner.email):
        client = Client()
        client.post("/password/forgotten", {"email": email})
        assert "code" not in str(dict(client.session.get("account_password_reset_verification", {})).keys())


def test_neither_a_service_account_nor_somebody_erased_signs_in(owner: User) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=owner.memberships.get().organization_id)
    with_password(machine)
    client = Client()
    assert by_password(client, machine).status_code == 422
    client.force_login(machine)
    assert client.get("/account").status_code == 302
    with_password(owner)
    by_password(client, owner)
    assert client.get("/account").status_code == 200
    User.objects.filter(pk=owner.pk).update(erased_at="2026-01-01T00:00Z")
    assert client.get("/account").status_code == 302


def test_a_new_address_counts_once_its_code_is_entered(owner: User, client_of: Callable[[User], Client]) -> None:
    addresses.settle(owner)
    client = client_of(owner)
    answer = client.post("/account/email", {"email": "moved@acme.example", "action_add": ""})
    assert answer["Location"] == "/confirm-address"
    owner.refresh_from_db()
    assert owner.email == "owner@acme.example"
    client.post("/confirm-address", {"code": code_in_mail("moved@acme.example")})
    owner.refresh_from_db()
    assert owner.email == "moved@acme.example"
    assert addresses.proven(owner) == {"moved@acme.example"}
    assert EmailAddress.objects.filter(user=owner).count() == 1
    assert "owner@acme.example" in mail.outbox[-1].to
    assert "user.email_change" in acts(owner)


def test_the_address_of_somebody_else_is_not_had(
    owner: User, stranger: User, client_of: Callable[[User], Client]
) -> None:
    addresses.settle(owner)
    addresses.settle(stranger)
    client = client_of(owner)
    client.post("/account/email", {"email": stranger.email, "action_add": ""})
    owner.refresh_from_db()
    assert owner.email == "owner@acme.example"
    assert addresses.proven(owner) == {"owner@acme.example"}


def test_mail_bears_our_name_and_has_both_forms() -> None:
    Client().post("/sign-up", NEW)
    message = mail.outbox[-1]
    assert "Archipel" in message.subject
    assert "127.0.0.1" not in message.body
    assert [kind for _text, kind in message.alternatives] == ["text/html"]  # type: ignore[attr-defined]
    assert code_in_mail("new@new.example") in str(message.alternatives[0][0])  # type: ignore[attr-defined]


def test_who_made_the_account_vouches_for_its_address(owner: User) -> None:
    assert addresses.owns(owner, "OWNER@acme.example")
    assert not EmailAddress.objects.exists()
    addresses.settle(owner)
    assert EmailAddress.objects.get().verified
    other = User.objects.create_user("late@acme.example")
    EmailAddress.objects.create(user=owner, email="late@acme.example", verified=True)
    addresses.settle(other)
    assert not addresses.owns(other, "late@acme.example")
