"""No page of another site can make a browser change something here: no token, no act, by console, admin and API."""

import json
from collections.abc import Iterator

import pytest

from tests.fixtures import sign_in
from tests.hostile.asking import Left, send
from tests.matrix.asking import Asker
from tests.matrix.routes import API, CONSOLE, Route, body_of, filled
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
ADMIN = ("/admin/resources/resource/", "/admin/accounts/user/", "/admin/accounts/apitoken/", "/admin/logout/")


@pytest.fixture
def browser(world: World) -> Asker:
    """The owner's browser, as a real one is: what it sends is checked."""
    client = Asker(enforce_csrf_checks=True)
    user = world.whos["owner"].user
    assert user is not None
    sign_in(client, user)
    return client


def writes(routes: dict[str, Route], world: World) -> Iterator[tuple[str, str, dict[str, object]]]:
    for path, route in routes.items():
        for verb in (verb for verb in route.rules if verb in UNSAFE):
            yield verb, filled(path, route, world.own()), body_of(route.rules[verb], world.own())


def test_a_form_without_its_token_is_refused(world: World, browser: Asker) -> None:
    token = csrf_token(world, browser)
    for verb, path, body in writes(CONSOLE, world):
        bare = send(world, browser, verb, path, body, None)
        foreign = send(world, browser, verb, path, body, None, {"X-CSRFToken": token, "Origin": "https://evil.example"})
        wrong = send(world, browser, verb, path, {**body, "csrfmiddlewaretoken": "x" * 64}, None)
        for left in (bare, foreign, wrong):
            assert (path, left.status, left.touched) == (path, 403, frozenset())
        assert not is_csrf_refusal(send(world, browser, verb, path, body, None, {"X-CSRFToken": token})), path


def test_signing_in_takes_a_token_as_well(world: World) -> None:
    nobody = Asker(enforce_csrf_checks=True)
    for path in ("/sign-in", "/sign-in/made-up"):
        left = send(world, nobody, "POST", path, {"email": "owner@acme.example", "password": "x"}, None)
        assert (path, left.status, left.touched) == (path, 403, frozenset())


def test_the_admin_site_takes_a_token(world: World) -> None:
    client, operator = Asker(enforce_csrf_checks=True), world.whos["operator"].user
    assert operator is not None
    sign_in(client, operator)
    for path in ADMIN:
        body = {"action": "force_delete", "_selected_action": str(world.mine.pk), "reason": "because"}
        left = send(world, client, "POST", path, body, None)
        assert (path, left.status, left.touched) == (path, 403, frozenset())


def test_the_api_takes_a_token_where_a_session_asks(world: World, browser: Asker) -> None:
    token = csrf_token(world, browser)
    for verb, path, body in writes(API, world):
        bare = send(world, browser, verb, path, as_json(body))
        other = send(world, browser, verb, path, as_json(body), headers={"Sec-Fetch-Site": "cross-site"})
        assert (path, bare.status, bare.touched) == (path, 403, frozenset())
        assert (path, other.status, other.touched) == (path, 401, frozenset())
        simple = send(world, browser, verb, path, as_json(body), "text/plain")
        assert (path, simple.status in (403, 415), simple.touched) == (path, True, frozenset())
        right = send(world, browser, verb, path, as_json(body), headers={"X-CSRFToken": token})
        assert (path, right.status in (401, 403)) == (path, False)


def csrf_token(world: World, client: Asker) -> str:
    send(world, client, "GET", "/account/tokens")
    return client.cookies["csrftoken"].value


def is_csrf_refusal(left: Left) -> bool:
    return left.status == 403 and "CSRF" in left.body


def as_json(body: dict[str, object]) -> bytes:
    return json.dumps(body).encode()
