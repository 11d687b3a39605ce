"""Every route × everybody × every verb: the answer is what the permission table says, and a no writes nothing."""

import pytest
from django.test import override_settings

from tests.matrix.asking import Answer, ask
from tests.matrix.routes import (
    ALLOWED,
    API,
    CONSOLE,
    HIDDEN,
    REFUSED,
    SIGN_IN,
    VERBS,
    Route,
    Rule,
    anybody,
    body_of,
    filled,
    undeclared,
)
from tests.matrix.world import Who, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lasting_proof")]
PEOPLE = (
    "owner", "admin", "project_admin", "developer", "viewer", "billing", "auditor", "member", "stranger", "operator",
    "support", "nobody",
)  # fmt: skip
TOKENS = (
    "read",
    "write",
    "project:acme-prod",
    "project:acme-lab",
    "project:other-prod",
    "family:toys",
    "family:databases",
    "machine",
)
SAFE = ("GET", "HEAD", "OPTIONS")
NO_HEAD = ("/download", "download/<token>")  # a download is an event that customers see; a look at its headers is not
HTMX = {"HX-Request": "true", "HX-Target": "content", "HX-Current-URL": "http://127.0.0.1:8000/"}


def test_every_route_of_the_url_table_is_declared() -> None:
    assert undeclared() == set()


@override_settings(ROOT_URLCONF="tests.matrix.more_urls")
def test_a_new_route_or_verb_is_demanded_of_the_matrix(world: World) -> None:
    assert undeclared() >= {"services/<service_id>/forgotten", "api/v1/forgotten/<credential>", "api/v1/<deep>/down"}
    path, who = "api/v1/me", world.whos["viewer"]
    verbs = [verb for verb in VERBS if _wrong(who, path, API[path], verb, ask(who.api, verb, f"/{path}"))]
    assert verbs == ["POST"]  # which it has grown there


@pytest.mark.parametrize("name", PEOPLE)
def test_the_console_answers_each_as_the_table_says(world: World, name: str) -> None:
    who = world.whos[name]
    assert who.browser is not None
    wrong = [
        line
        for path, route in CONSOLE.items()
        for verb in VERBS
        if (line := _wrong(who, path, route, verb, ask(who.browser, *_request(world, path, route, verb))))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", [*PEOPLE, *TOKENS])
def test_the_api_answers_each_as_the_table_says(world: World, name: str) -> None:
    who = world.whos[name]
    wrong = [
        line
        for path, route in API.items()
        for verb in VERBS
        if (line := _wrong(who, path, route, verb, ask(who.api, *_request(world, path, route, verb))))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", PEOPLE)
def test_a_fragment_is_given_to_who_gets_the_page(world: World, name: str) -> None:
    who = world.whos[name]
    assert who.browser is not None
    wrong = [
        line
        for path, route in CONSOLE.items()
        for verb in route.rules
        if (line := _wrong(who, path, route, verb, ask(who.browser, *_request(world, path, route, verb), HTMX)))
    ]
    assert wrong == []


def test_a_dead_token_opens_nothing(world: World) -> None:
    assert set(world.dead) == {"revoked", "expired", "of somebody shut out"}
    for name, client in world.dead.items():
        for path, route in API.items():
            for verb, rule in route.rules.items():
                answer = ask(client, *_request(world, path, route, verb))
                said, is_no = f"{verb} {path} with one {name}: {answer.status}", answer.status == 401
                assert (said, is_no or rule.verdict is anybody, answer.written) == (said, True, frozenset())


def _request(world: World, path: str, route: Route, verb: str) -> tuple[str, str, dict[str, object]]:
    names, rule = world.own(), route.rules.get(verb)
    return verb, filled(path, route, names), body_of(rule, names) if rule else {}


def _wrong(who: Who, path: str, route: Route, verb: str, answer: Answer) -> str:
    """Return what is wrong with an answer, or nothing."""
    rule = route.rules.get(verb)
    if rule is None:
        said = _of_undeclared(who, path, route, verb, answer)
    else:
        said = _of_declared(rule.verdict(who), rule, path, verb, answer)
    return f"{verb} /{path} as {who.name}: {answer.status} {said} {sorted(answer.written)}" if said else ""


def _of_declared(expected: str, rule: Rule, path: str, verb: str, answer: Answer) -> str:
    if expected != ALLOWED and answer.written:
        return f"{expected}, but it wrote"
    if expected == ALLOWED:
        nos = {401, 403, 404, 405} | ({rule.hidden, rule.refused} if rule.verdict.__name__ == "verdict" else set())
        if answer.status in nos or _asks_to_sign_in(answer) or (answer.status >= 500 and path != "readyz"):
            return "should be allowed"
        events = frozenset({"resources_event"}) if verb == "GET" and path.endswith("/download") else frozenset()
        return "reading wrote" if verb in SAFE and answer.written - events else ""
    right = {
        SIGN_IN: answer.status == 401 if path.startswith("api/") else _asks_to_sign_in(answer),
        HIDDEN: answer.status == rule.hidden,
        REFUSED: answer.status == rule.refused,
    }
    return "" if right[expected] else f"should be {expected}"


def _of_undeclared(who: Who, path: str, route: Route, verb: str, answer: Answer) -> str:
    """A verb without a line is refused, or answers as reading does, and never writes."""
    if answer.written:
        return "wrote by a verb that it has not"
    reading = route.rules.get("GET")
    if verb == "HEAD" and reading is not None and not path.endswith(NO_HEAD):
        return _of_declared(reading.verdict(who), reading, path, verb, answer) or ("a body" if answer.body else "")
    if path.startswith("api/v1/"):
        is_public = any(rule.verdict.__name__ == "anybody" for rule in route.rules.values())
        no = (401,) if who.user is None and not is_public else (405,)
        return "" if answer.status in ((200,) if verb == "OPTIONS" and no == (405,) else no) else f"should be {no}"
    if answer.status == 405 or (who.user is None and _asks_to_sign_in(answer)):
        return ""
    if reading is None:
        return "" if answer.status in (403, 404, 405) else "should be no verb of it"
    return _of_declared(reading.verdict(who), reading, path, "GET", answer)


def _asks_to_sign_in(answer: Answer) -> bool:
    if redirect := answer.headers.get("HX-Redirect"):
        return redirect.startswith("/sign-in")
    return answer.status == 302 and answer.location.startswith("/sign-in")
