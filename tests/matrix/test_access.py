"""Every route × everybody × every verb: the answer is what the permission table says, and a no writes nothing."""

import pytest

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
    body_of,
    filled,
    in_url_table,
)
from tests.matrix.world import Who, World

pytestmark = pytest.mark.django_db
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
)
SAFE = ("GET", "HEAD", "OPTIONS")
# Asking what something costs keeps the quote, also where a page shows it; a download is an event that customers see.
WRITTEN_BY_READING = frozenset({"resources_quote", "resources_event"})


def test_every_route_of_the_url_table_is_declared() -> None:
    known = {path for path in in_url_table() if not path.startswith("admin/")}
    assert known - CONSOLE.keys() - API.keys() == set()
    assert (CONSOLE.keys() | API.keys()) - known == set()


@pytest.mark.parametrize("name", PEOPLE)
def test_the_console_answers_each_as_the_table_says(world: World, name: str) -> None:
    who = world.whos[name]
    assert who.browser is not None
    wrong = [
        line
        for path, route in CONSOLE.items()
        for verb in VERBS
        if (line := _wrong(world, who, path, route, verb, ask(who.browser, *_request(world, path, route, verb))))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", [*PEOPLE, *TOKENS])
def test_the_api_answers_each_as_the_table_says(world: World, name: str) -> None:
    who = world.whos[name]
    wrong = [
        line
        for path, route in API.items()
        for verb in VERBS
        if (line := _wrong(world, who, path, route, verb, ask(who.api, *_request(world, path, route, verb))))
    ]
    assert wrong == []


def _request(world: World, path: str, route: Route, verb: str) -> tuple[str, str, dict[str, object]]:
    names, rule = world.own(), route.rules.get(verb)
    return verb, filled(path, route, names), body_of(rule, names) if rule else {}


def _wrong(world: World, who: Who, path: str, route: Route, verb: str, answer: Answer) -> str:
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
        return "reading wrote" if verb in SAFE and answer.written - WRITTEN_BY_READING else ""
    right = {
        SIGN_IN: answer.status == 401 if path.startswith("api/") else _asks_to_sign_in(answer),
        HIDDEN: answer.status == rule.hidden,
        REFUSED: answer.status == rule.refused,
    }
    return "" if right[expected] else f"should be {expected}"


def _of_undeclared(who: Who, path: str, route: Route, verb: str, answer: Answer) -> str:
    """A verb without a line is refused, or answers as reading does, and never writes."""
    if answer.written - (WRITTEN_BY_READING if verb == "HEAD" else frozenset()):
        return "wrote by a verb that it has not"
    reading = route.rules.get("GET")
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
    return answer.status == 302 and answer.location.startswith("/sign-in")
