"""What asks again who it is: by a session of long ago the same acts in the API as in the console; by a token none."""

from collections.abc import Mapping

import pytest
from django.conf import settings
from django.test import Client

from portal.accounts.models import User
from portal.accounts.reauthentication import FRESH, RECENT
from tests.fixtures import aged, sign_in
from tests.matrix.asking import Answer, Asker, ask
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
CODE = "reauthentication_required"
ORG, SERVICE = "organizations/<organization>", "api/v1/services/<service>/credentials/<credential>"
LOGIN = "services/<service_id>/connect/<credential_id>"
TWINS = {  # of each act that asks, whatever its body says, the same in the console
    ("POST", "api/v1/tokens"): "account/tokens",
    ("GET", "api/v1/me/data"): "account/privacy/data",
    ("POST", f"{SERVICE}/reveal"): f"{LOGIN}/reveal",
    ("POST", f"{SERVICE}/rotate"): f"{LOGIN}/rotate",
    ("POST", f"{SERVICE}/complete"): f"{LOGIN}/complete",
    ("POST", f"api/v1/{ORG}/service-accounts/<account>/tokens"): f"{ORG}/service-accounts/<account>",
    ("PATCH", f"api/v1/{ORG}/policy"): f"{ORG}/security",
    ("POST", f"api/v1/{ORG}/transfer"): f"{ORG}/transfer",
    ("POST", f"api/v1/{ORG}/close"): f"{ORG}/close",
}
CONSOLE_ALONE = {f"{ORG}/close/bin", "account/privacy/erase"}  # what has no twin
MEMBER, OWNER = "members/<member>", {"role": "owner"}
BY_BODY: list[tuple[str, str, dict[str, str], str, dict[str, str]]] = [  # asked for what the body says alone
    ("PATCH", f"api/v1/{ORG}/{MEMBER}", OWNER, f"{ORG}/{MEMBER}", OWNER),
    (
        "PATCH",
        f"api/v1/projects/<project>/{MEMBER}",
        {"organization_role": "owner"},
        f"projects/<project>/{MEMBER}",
        {"organization_role": "owner"},
    ),
    (
        "POST",
        f"api/v1/{ORG}/invitations",
        {"email": "new@acme.example", **OWNER},
        f"{ORG}/invitations",
        {"email": "new@acme.example", **OWNER},
    ),
]


@pytest.fixture
def stale(world: World) -> Asker:
    """A browser in which the owner has signed in two hours ago."""
    return browser_of(world.people["owner"], FRESH + 3600)


def browser_of(user: User, seconds: float) -> Asker:
    client = Asker()
    sign_in(client, user)
    aged(client, seconds)
    return client


def asks_again(answer: Answer) -> bool:
    return answer.status == 403 and CODE in answer.body


def test_the_api_asks_a_session_exactly_where_the_console_does(world: World, stale: Asker) -> None:
    names, asked = world.own(), set()
    for path, route in API.items():
        for verb, rule in route.rules.items():
            answer = ask(stale, verb, filled(path, route, names), body_of(rule, names))
            if asks_again(answer):
                assert answer.written == frozenset()
                asked.add((verb, path))
    assert asked == TWINS.keys()


def test_the_console_asks_where_the_api_does(world: World, stale: Asker) -> None:
    names, asked = world.own(), set()
    for path, route in CONSOLE.items():
        if ("POST" in route.rules and not path.startswith("account/")) or path in {*TWINS.values(), *CONSOLE_ALONE}:
            answer = ask(stale, "POST", filled(path, route, names), body_of(route.rules["POST"], names))
            if answer.location.startswith("/account/confirm"):
                asked.add(path)
    assert asked == {*TWINS.values(), *CONSOLE_ALONE}


@pytest.mark.parametrize(("verb", "path", "body", "page", "form"), BY_BODY)
def test_who_makes_an_owner_is_asked(
    world: World, stale: Asker, verb: str, path: str, body: Mapping[str, str], page: str, form: Mapping[str, str]
) -> None:
    address, names = filled(path, API[path], world.own()), world.own()
    assert asks_again(ask(stale, verb, address, body))
    assert ask(stale, "POST", filled(page, CONSOLE[page], names), form).location.startswith("/account/confirm")
    weaker = {name: "admin" if value == "owner" else value for name, value in body.items()}
    assert ask(stale, verb, address, weaker).status in (200, 201)
    for client in (world.whos["owner"].api, browser_of(world.people["owner"], 0)):
        assert ask(client, verb, address, body).status in (200, 201)


def test_wiping_asks_and_the_bin_does_not(world: World, stale: Asker) -> None:
    address = f"/api/v1/services/{world.own()['service']}"
    assert asks_again(ask(stale, "DELETE", f"{address}?deletion_policy=wipe"))
    assert ask(stale, "DELETE", f"{address}?deletion_policy=bin").status == 202
    for client in (world.whos["owner"].api, browser_of(world.people["owner"], 0)):
        assert ask(client, "DELETE", f"{address}?deletion_policy=wipe").status == 202


def test_a_token_and_a_fresh_session_are_asked_nothing(world: World) -> None:
    names = world.own()
    for client in (world.whos["owner"].api, browser_of(world.people["owner"], 0)):
        for verb, path in TWINS:
            rule = API[path].rules[verb]
            assert not asks_again(ask(client, verb, filled(path, API[path], names), body_of(rule, names)))


def test_a_stranger_is_told_nothing_by_it(world: World) -> None:
    stranger, names = browser_of(world.people["stranger"], FRESH + 1), world.own()
    for verb, path in TWINS.keys() - {("POST", "api/v1/tokens"), ("GET", "api/v1/me/data")}:
        answer = ask(stranger, verb, filled(path, API[path], names), body_of(API[path].rules[verb], names))
        assert answer.status == 404


def test_the_refusal_says_where_to_confirm(world: World) -> None:
    owner = world.people["owner"]
    owner.set_password("correct horse battery")
    owner.save()
    client = Client()
    sign_in(client, owner)
    aged(client, RECENT + 1)
    answer = client.post("/api/v1/tokens", {"name": "ci"}, content_type="application/json")
    problem = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["status"], problem["code"], problem["retryable"]) == (403, CODE, False)
    assert problem["confirm_url"] == f"{settings.BASE_URL}/account/confirm"
    assert problem["confirm_url"] in problem["detail"]
    confirmed = client.post("/account/confirm", {"password": "correct horse battery"})
    assert confirmed.status_code == 302
    assert client.post("/api/v1/tokens", {"name": "ci"}, content_type="application/json").status_code == 201
