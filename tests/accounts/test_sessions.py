"""Sessions: listed, ended at the next request, ended by a new password; and proofs asked for again before harm."""

from collections.abc import Callable

import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from portal.accounts import sessions
from portal.accounts.models import User
from portal.accounts.reauthentication import FRESH, RECENT, recently
from tests.accounts.ways import PASSWORD, acts, by_password, code_of, enroll, with_password
from tests.fixtures import aged

ClientOf = Callable[[User], Client]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Safari/604"


def browsers(user: User, *agents: str) -> list[Client]:
    """Return browsers in which somebody has signed in by password."""
    with_password(user)
    found = [Client(headers={"user-agent": agent}) for agent in agents]
    for client in found:
        by_password(client, user)
    return found


@pytest.mark.parametrize(
    ("agent", "words"),
    [(FIREFOX, "Firefox on Linux"), (EDGE, "Edge on Windows"), (PHONE, "Safari on iPhone"), ("", "Unknown device")],
)
def test_a_device_has_the_name_that_people_know(agent: str, words: str) -> None:
    assert sessions.device(agent) == words


def test_a_session_that_was_ended_is_out_at_its_next_request(owner: User) -> None:
    here, there = browsers(owner, FIREFOX, EDGE)
    page = here.get("/account/sessions").content.decode()
    assert "Firefox on Linux" in page
    assert "Edge on Windows" in page
    row = UserSession.objects.get(user_agent=EDGE)
    assert there.get("/account").status_code == 200
    assert here.post(f"/account/sessions/{row.pk}/end").status_code == 302
    assert there.get("/account").status_code == 302
    assert here.get("/account").status_code == 200
    assert "Edge on Windows" not in here.get("/account/sessions").content.decode()
    assert acts(owner)[-1] == "user.session_end"


def test_the_session_of_somebody_else_is_not_there(owner: User, stranger: User) -> None:
    mine, theirs = browsers(owner, FIREFOX)[0], browsers(stranger, EDGE)[0]
    row = UserSession.objects.get(user=stranger)
    assert mine.post(f"/account/sessions/{row.pk}/end").status_code == 404
    assert theirs.get("/account").status_code == 200


def test_all_others_end_at_once(owner: User) -> None:
    here, *others = browsers(owner, FIREFOX, EDGE, PHONE)
    assert here.post("/account/sessions/end-others").status_code == 302
    assert [client.get("/account").status_code for client in others] == [302, 302]
    assert here.get("/account").status_code == 200


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(owner: User) -> None:
    here, there = browsers(owner, FIREFOX, EDGE)
    other = "another correct horse"
    form = {"oldpassword": PASSWORD, "password1": other, "password2": other}
    assert here.post("/account/password", {**form, "oldpassword": "wrong"}).status_code == 422
    assert there.get("/account").status_code == 200
    assert here.post("/account/password", form).status_code == 302
    assert there.get("/account").status_code == 302
    assert here.get("/account").status_code == 200
    assert UserSession.objects.filter(user=owner).count() == 1


def test_a_session_from_before_is_listed_once_it_is_used(owner: User) -> None:
    client = Client()
    client.force_login(owner)
    assert not UserSession.objects.exists()
    client.get("/account")
    first = UserSession.objects.get(user=owner)
    client.get("/account")
    assert UserSession.objects.get().last_seen_at == first.last_seen_at  # not written with each request
    cache.clear()
    client.get("/account")
    assert UserSession.objects.get().last_seen_at > first.last_seen_at


def test_ending_all_sessions_of_somebody_shuts_every_browser_out(owner: User) -> None:
    found = browsers(owner, FIREFOX, EDGE)
    assert sessions.end_all(owner) == 2
    assert [client.get("/account").status_code for client in found] == [302, 302]


def test_harm_takes_a_recent_proof_and_leads_back(owner: User) -> None:
    client = browsers(owner, FIREFOX)[0]
    assert client.get("/account/email").status_code == 200
    aged(client, RECENT + 1)
    asked = client.get("/account/email")
    assert asked["Location"] == "/account/confirm?next=%2Faccount%2Femail"
    assert client.post("/account/confirm?next=/account/email", {"password": "wrong"}).status_code == 422
    assert client.get("/account/email").status_code == 302
    answer = client.post("/account/confirm?next=/account/email", {"password": PASSWORD})
    assert answer["Location"] == "/account/email"
    assert client.get("/account/email").status_code == 200


def test_a_code_is_a_proof_and_is_written_down(owner: User) -> None:
    enroll(owner)
    client = Client()
    client.force_login(owner)
    assert client.get("/account/security/app/remove")["Location"].startswith("/account/confirm/code?next=")
    client.post("/account/confirm/code?next=/account", {"code": code_of()})
    assert client.get("/account/security/app/remove").status_code == 200
    assert acts(owner) == ["user.reauthenticate"]


def test_who_has_nothing_to_prove_it_with_signs_in_again_after_an_hour(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    aged(client, RECENT + 1)
    assert client.get("/account/email").status_code == 200
    aged(client, FRESH + 1)
    asked = client.get("/account/email", follow=True)
    assert asked.redirect_chain[-1][0] == "/account/confirm/sign-in?next=%2Faccount%2Femail"
    assert client.post("/sign-out", {"next": "/account/email"})["Location"] == "/sign-in?next=%2Faccount%2Femail"


def test_a_form_is_led_back_to_the_page_that_it_stood_on(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    aged(client, FRESH + 1)
    url = "/account/security/codes/new"
    here = {"referer": "http://testserver/account/security?a=b"}
    assert client.post(url, headers=here)["Location"].endswith("next=%2Faccount%2Fsecurity%3Fa%3Db")
    elsewhere = {"referer": "https://evil.example/x"}
    assert client.post(url, headers=elsewhere)["Location"].endswith("next=%2F")
    fragment = client.post(url, headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/services/svc_1"})
    assert fragment["HX-Redirect"].endswith("next=%2Fservices%2Fsvc_1")


def test_the_mark_lets_nobody_in_who_is_not_signed_in(rf: RequestFactory, owner: User, client_of: ClientOf) -> None:
    @recently
    def harm(request: HttpRequest) -> HttpResponse:
        return HttpResponse("done")

    client = client_of(owner)
    request = rf.get("/")
    request.session = client.session
    request.user = owner
    assert harm(request).content == b"done"
