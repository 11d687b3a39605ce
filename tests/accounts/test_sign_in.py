"""Signing in by link and by password, and out."""

import datetime
import threading
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts import actions, tries
from portal.accounts.models import SignInLink, User, digest
from portal.audit.models import AuditEvent
from portal.core.errors import Problem


@pytest.fixture(autouse=True)
def by_link(settings: Settings) -> None:
    settings.SIGN_IN_BY_LINK = True
    settings.BASE_URL = "http://127.0.0.1:8000"


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_link_is_stored_hashed_and_ends_after_ten_minutes(owner: User) -> None:
    path = actions.new_sign_in_link(email=owner.email.upper())
    link = SignInLink.objects.get()
    assert link.digest == digest(path.removeprefix("/sign-in/"))
    assert link.expires_at - timezone.now() <= datetime.timedelta(minutes=10)
    assert AuditEvent.objects.get(action="user.sign_in_link").target_id == owner.id


def test_looking_at_a_link_spends_nothing_and_confirming_it_signs_in_once(owner: User) -> None:
    path = actions.new_sign_in_link(email=owner.email)
    client = Client()
    page = client.get(path)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert not signed_in(client)
    assert client.post(path).status_code == 302
    assert signed_in(client)
    again = Client()
    assert again.post(path).status_code == 410
    assert not signed_in(again)
    assert AuditEvent.objects.filter(action="user.sign_in", actor_id=owner.id).count() == 1


def test_the_session_key_changes_with_signing_in(owner: User) -> None:
    client = Client()
    session = client.session
    session["fixed"] = True
    session.save()
    before = session.session_key
    client.post(actions.new_sign_in_link(email=owner.email))
    assert client.session.session_key != before


def test_a_link_that_two_have_seen_fresh_is_spent_by_one(owner: User) -> None:
    token = actions.new_sign_in_link(email=owner.email).rpartition("/")[2]
    assert actions.use_sign_in_link(token) == owner
    with pytest.raises(Problem) as caught:
        actions.use_sign_in_link(token)
    assert caught.value.code == "sign_in_link_spent"


def test_the_form_of_a_link_needs_the_csrf_token(owner: User) -> None:
    path = actions.new_sign_in_link(email=owner.email)
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    assert SignInLink.objects.get().used_at is None


def test_an_old_link_is_refused(owner: User) -> None:
    path = actions.new_sign_in_link(email=owner.email)
    SignInLink.objects.update(expires_at=timezone.now())
    client = Client()
    assert client.get(path).status_code == client.post(path).status_code == 410
    assert not signed_in(client)
    with pytest.raises(Problem, match="sign_in_link_spent"):
        actions.use_sign_in_link(path.removeprefix("/sign-in/"))


def test_the_link_of_somebody_shut_out_is_refused(owner: User) -> None:
    path = actions.new_sign_in_link(email=owner.email)
    User.objects.update(is_active=False)
    client = Client()
    with pytest.raises(Problem, match="sign_in_link_spent"):
        actions.use_sign_in_link(path.removeprefix("/sign-in/"))
    assert client.post(path).status_code == 410


def test_links_work_on_loopback_alone(owner: User, settings: Settings) -> None:
    path = actions.new_sign_in_link(email=owner.email)
    client = Client()
    assert client.post(path, REMOTE_ADDR="192.0.2.1").status_code == 410
    settings.BASE_URL = "https://portal.example"
    assert client.post(path).status_code == 410
    with pytest.raises(Problem, match="sign_in_link_unavailable"):
        actions.new_sign_in_link(email=owner.email)
    settings.BASE_URL = "http://localhost:8000"
    settings.SIGN_IN_BY_LINK = False
    with pytest.raises(Problem, match="sign_in_link_unavailable"):
        actions.use_sign_in_link(path.removeprefix("/sign-in/"))
    settings.SIGN_IN_BY_LINK = True
    assert client.post(path).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_two_posts_at_once_one_signs_in() -> None:
    owner = User.objects.create_user("owner@acme.example")
    path = actions.new_sign_in_link(email=owner.email)
    clients, answers, start = [Client(), Client()], [], threading.Barrier(2)

    def post(client: Client) -> None:
        start.wait()
        try:
            answers.append(client.post(path).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [302, 410]
    assert sum(signed_in(client) for client in clients) == 1


def test_a_password_signs_in_and_a_wrong_one_does_not(owner: User) -> None:
    owner.set_password("correct horse battery")
    owner.save()
    client = Client()
    wrong = client.post("/sign-in", {"email": owner.email, "password": "nope"})
    assert wrong.status_code == 422
    assert "belong together" in wrong.content.decode()
    right = client.post("/sign-in?next=/audit", {"email": owner.email.upper(), "password": "correct horse battery"})
    assert (right.status_code, right["Location"]) == (302, "/audit")
    assert AuditEvent.objects.get(action="user.sign_in", outcome="done").reason == "password"


def test_a_wrong_password_is_on_record_without_what_was_typed(owner: User, client_of: Callable[[User], Client]) -> None:
    client = Client()
    assert client.post("/sign-in", {"email": owner.email.upper(), "password": "canary-word"}).status_code == 422
    assert client.post("/sign-in", {"email": "nobody@x.example", "password": "canary-word"}).status_code == 422
    known, unknown = AuditEvent.objects.filter(action="user.sign_in").order_by("id")
    for row in (known, unknown):
        assert (row.outcome, row.reason, row.actor_kind, row.actor_id) == ("denied", "password", "anonymous", None)
        assert (row.target_kind, row.target_name, row.changes, row.address) == ("user", "", {}, "127.0.0.1")
        assert not any(word in str(row.__dict__) for word in ("@", "canary", "nobody", "acme"))
    assert (known.target_id, unknown.target_id) == (owner.id, None)
    page = client_of(owner).get("/audit?outcome=denied").content.decode()
    assert page.count("Somebody not signed in") == 1


def test_nobody_fills_the_log_with_wrong_passwords(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "ROWS_OF_NOBODY", 3)
    client = Client()
    for number in range(5):
        client.post("/sign-in", {"email": f"nobody{number}@x.example", "password": "nope"})
    assert AuditEvent.objects.count() == 3
    for _try in range(tries.PER_EMAIL + 5):
        client.post("/sign-in", {"email": owner.email, "password": "nope"})
    assert AuditEvent.objects.filter(target_id=owner.id).count() == tries.PER_EMAIL


def test_a_wrong_password_of_somebody_who_is_in_is_on_record(owner: User, client_of: Callable[[User], Client]) -> None:
    owner.set_password("correct horse battery")
    owner.save()
    client = client_of(owner)
    assert client.post("/account/confirm", {"password": "nope"}).status_code == 422
    form = {"oldpassword": "nope", "password1": "another horse battery", "password2": "another horse battery"}
    assert client.post("/account/password", form).status_code == 422
    rows = AuditEvent.objects.filter(outcome="denied").order_by("id")
    assert [(row.action, row.actor_id, row.reason) for row in rows] == [
        ("user.reauthenticate", owner.id, "password"),
        ("user.password_change", owner.id, "password"),
    ]
    assert client.post("/account/confirm", {"password": "correct horse battery"}).status_code == 302
    assert rows.count() == 2


def test_somebody_without_a_password_does_not_get_in_by_one(owner: User) -> None:
    client = Client()
    assert client.post("/sign-in", {"email": owner.email, "password": ""}).status_code == 422
    assert client.post("/sign-in", {"email": owner.email, "password": "!"}).status_code == 422
    assert not signed_in(client)


@pytest.mark.parametrize("goal", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_it_never_leads_to_another_site(owner: User, goal: str) -> None:
    owner.set_password("correct horse battery")
    owner.save()
    form = {"email": owner.email, "password": "correct horse battery", "next": goal}
    assert Client().post("/sign-in", form)["Location"] == "/"


def test_after_too_many_tries_even_the_right_password_waits(owner: User) -> None:
    owner.set_password("correct horse battery")
    owner.save()
    client = Client()
    for _try in range(tries.PER_EMAIL):
        assert client.post("/sign-in", {"email": owner.email, "password": "nope"}).status_code == 422
    late = client.post("/sign-in", {"email": owner.email, "password": "correct horse battery"})
    assert late.status_code == 429
    assert not signed_in(client)


def test_signing_out_takes_a_post(owner: User, client_of: Callable[[User], Client]) -> None:
    client = client_of(owner)
    assert client.get("/sign-out").status_code == 405
    assert signed_in(client)
    assert client.post("/sign-out").status_code == 302
    assert not signed_in(client)


def test_the_page_tells_how_to_get_a_link_where_links_work(settings: Settings, db: None) -> None:
    assert "manage.py signin" in Client().get("/sign-in").content.decode()
    settings.SIGN_IN_BY_LINK = False
    assert "manage.py signin" not in Client().get("/sign-in").content.decode()


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/login/", "/accounts/password/reset/"])
def test_allauth_s_own_pages_are_not_there(db: None, path: str) -> None:
    assert Client().get(path).status_code == 404


def test_the_command_prints_a_link_that_works(owner: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("signin", owner.email)
    url = capsys.readouterr().out.strip()
    assert url.startswith("http://127.0.0.1:8000/sign-in/")
    client = Client()
    client.post(url.removeprefix("http://127.0.0.1:8000"))
    assert signed_in(client)
    with pytest.raises(CommandError, match="adduser"):
        call_command("signin", "nobody@example.org")


def test_the_command_s_last_line_is_the_token(owner: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("token", owner.email, "--scope", "read", "--scope", "project:acme-prod")
    plain = capsys.readouterr().out.splitlines()[-1]
    assert owner.tokens.get(digest=digest(plain)).scopes == ["project:acme-prod", "read"]
    with pytest.raises(CommandError, match="Scopes are"):
        call_command("token", owner.email, "--scope", "root")
