"""An id of somebody else's answers as one that never was, wherever it stands; no header makes you anybody else."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.matrix.asking import Answer, ask
from tests.matrix.routes import API, CONSOLE, PUBLIC, REFUSED, Route, body_of, filled
from tests.matrix.world import ORDER, Who, World, nobodys

pytestmark = pytest.mark.django_db
# A CSRF token, the id of what was just made, a time, and how long ago something was.
OWN_OF_A_REQUEST = re.compile(
    r"\b[A-Za-z0-9]{64}\b|quo_[0-9A-Z]{26}|\d{4}-\d\d-\d\dT[\d:.]+Z|\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"
    r"|(?<=data-relative>)[^<]+|(?<=<time )data-elapsed-since[^<]+"
)
IDENTITY = (
    "X-Forwarded-User", "X-Forwarded-Email", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-User",
    "X-Auth-Request-Email", "X-WebAuth-User", "X-Original-User", "Impersonate-User", "X-Forwarded-Preferred-Username",
)  # fmt: skip
ROLES = {"Impersonate-Group": "system:masters", "X-Forwarded-Groups": "admin", "X-Forwarded-For": "127.0.0.1"}
# What would make an answer differ if the thing were looked at before access is.
CONDITIONS = {"HX-Request": "true", "If-Match": '"1"', "If-None-Match": "*", "Idempotency-Key": "one-key"}
NO_RULE = PUBLIC
CHILD, SERVICE = "services/<service>/<kind>/<child>", "api/v1/services/{service}"
FORM = {**ORDER, "region": "local", "version": "2", "spec-greeting": "hello"}
# An id in a query or body: who asks, verb, address, body. ``{name}`` is an own id, ``{!name}`` the one in question.
ELSEWHERE: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("owner", "GET", "api/v1/audit?project={!project}", {}),
    ("owner", "GET", "api/v1/audit?organization={!organization}", {}),
    ("owner", "GET", "api/v1/audit?target={!service}", {}),
    ("owner", "GET", "api/v1/audit?actor={!member}", {}),
    ("owner", "GET", "api/v1/audit/export?project={!project}", {}),
    ("owner", "GET", "api/v1/audit/export?organization={!organization}", {}),
    ("owner", "GET", "api/v1/audit/head?organization={!organization}", {}),
    ("owner", "GET", "audit?project={!project}", {}),
    ("owner", "GET", "audit?organization={!organization}", {}),
    ("owner", "GET", "audit?target={!service}", {}),
    ("owner", "GET", "audit?actor={!member}", {}),
    ("developer", "GET", "catalog/toy/name?name=foreign&project={!project}", {}),
    ("developer", "GET", "services/{service}/connect?user={!credential}", {}),
    ("developer", "GET", "services/{service}/header?operation={!operation}", {}),
    ("developer", "POST", "api/v1/quotes", {"service": "{!service}", "change": {"plan": "standard-4"}}),
    ("developer", "POST", "api/v1/quotes", {**ORDER, "project": "{!project}"}),
    ("developer", "POST", "api/v1/quotes", {"service": "{service}", "change": {"spec": {"store": "{!service}"}}}),
    ("owner", "POST", "api/v1/projects", {"name": "New", "organization": "{!organization}"}),
    ("developer", "POST", "api/v1/projects/acme-prod/services", {**ORDER, "quote": "{!quote}"}),
    ("developer", "POST", "api/v1/projects/acme-prod/services", {**ORDER, "spec": {"store": "{!service}"}}),
    ("developer", "PATCH", SERVICE, {"spec": {"store": "{!service}"}}),
    ("developer", "POST", f"{SERVICE}/restore", {"backup": "{!backup}", "target": {"name": "back"}}),
    ("developer", "POST", f"{SERVICE}/restore", {"backup": "{!backup}", "in_place": True}),
    ("developer", "POST", "catalog/toy", {**FORM, "project": "{!project}"}),
    ("developer", "POST", "catalog/toy", {**FORM, "project": "acme-prod", "spec-store": "{!service}"}),
    ("developer", "POST", "services/{service}/settings/spec", {"spec-greeting": "hello", "spec-store": "{!service}"}),
    ("owner", "POST", "projects/new", {"name": "New", "organization": "{!organization}"}),
    ("owner", "GET", "api/v1/services?cursor={!service}", {}),
    ("owner", "GET", "services?cursor={!service}", {}),
    ("owner", "GET", "services?project={!project}", {}),
    ("owner", "GET", "api/v1/services?project={!project}", {}),
    ("developer", "POST", f"{SERVICE}/restore", {"backup": "{!backup}", "target": {"name": "x", "plan": "{!service}"}}),
    ("developer", "POST", "api/v1/quotes", {**ORDER, "project": "acme-prod", "spec": {"store": "{!service}"}}),
    ("developer", "PATCH", f"{SERVICE}/users/{{login}}", {"spec": {"predecessor": "{!credential}"}}),
    ("developer", "PATCH", SERVICE, {"tags": {"a": {"b": ["{!service}", {"c": "{!project}"}]}}}),
    ("developer", "PATCH", SERVICE, {"allowed_networks": ["{!service}", ["{!project}"]]}),
    ("owner", "POST", f"{SERVICE}/move", {"project": "{!project}"}),
    ("owner", "POST", "services/{service}/move", {"project": "{!project}"}),
    ("owner", "POST", "api/v1/organizations/acme/transfer", {"member": "{!member}"}),
    ("owner", "POST", "organizations/acme/transfer", {"member": "{!member}", "confirm": "Acme"}),
    ("owner", "POST", "api/v1/tokens", {"name": "x", "scopes": ["read", ["project:{!project}"]]}),
)


def plain(answer: Answer, *own: str) -> tuple[int, str, dict[str, str]]:
    """Return an answer without the ids that were asked for, and what is of one request alone."""

    def without(text: str) -> str:
        for name in sorted((name for name in own if name), key=len, reverse=True):
            text = text.replace(name, "ID")
        return OWN_OF_A_REQUEST.sub("…", text)

    headers = {name: without(value) for name, value in answer.headers.items() if not name.startswith("RateLimit")}
    return answer.status, without(answer.body), headers


def client_of(who: Who, path: str) -> Any:
    return who.api if path.lstrip("/").startswith("api/") else who.browser


def in_path(path: str, route: Route) -> Iterator[str]:
    """Return the names of the ids in a path."""
    for name in re.findall(r"<(\w+)>", path):
        name = name.removesuffix("_id")
        name = route.words.get("child", name) if name == "child" else name
        if name not in route.words:
            yield name


@pytest.mark.parametrize(
    ("name", "headers"), [("owner", {}), ("viewer", {}), ("family:toys", {}), ("owner", CONDITIONS)], ids=str
)
def test_a_foreign_id_in_a_path_answers_as_an_unknown_one(world: World, name: str, headers: dict[str, str]) -> None:
    who, own, theirs, unknown = world.whos[name], world.own(), world.theirs(), nobodys()
    seen = 0
    for path, route in {**CONSOLE, **API}.items():
        if client_of(who, path) is None:
            continue
        for verb, rule in {"HEAD": NO_RULE, "OPTIONS": NO_RULE, **route.rules}.items():
            for asked in in_path(path, route):
                answers = []
                for other in (theirs, unknown):
                    names = {**own, asked: other[asked]}
                    body = {} if rule is NO_RULE else body_of(rule, own)
                    answer = ask(client_of(who, path), verb, filled(path, route, names), body, headers)
                    answers.append(plain(answer, other[asked]))
                    assert answer.written == frozenset(), (verb, path, asked, answer.status)
                assert (verb, path, asked, answers[0]) == (verb, path, asked, answers[1])
                assert answers[0][0] == 404 or rule is NO_RULE or rule.verdict(who) == REFUSED, (verb, path, asked)
                seen += 1
    assert seen > 40


def test_a_part_of_another_service_is_not_reached_through_this_one(world: World) -> None:
    who, own, unknown = world.whos["owner"], world.own(), nobodys()
    for other in (world.of_sibling(), world.theirs()):
        for path, route in {**CONSOLE, **API}.items():
            parts = [name for name in in_path(path, route) if name in ("login", "backup", "credential")]
            for verb, rule in route.rules.items():
                for part in parts:
                    pair = [
                        plain(
                            ask(
                                client_of(who, path),
                                verb,
                                filled(path, route, {**own, part: names[part]}),
                                body_of(rule, own),
                            ),
                            names[part],
                        )
                        for names in (other, unknown)
                    ]
                    assert (verb, path, pair[0]) == (verb, path, pair[1])
                    assert pair[0][0] == 404, (verb, path)


@pytest.mark.parametrize(("name", "verb", "path", "body"), ELSEWHERE)
def test_a_foreign_id_in_a_query_or_body_answers_as_an_unknown_one(
    world: World, name: str, verb: str, path: str, body: dict[str, Any]
) -> None:
    who, own, theirs, unknown = world.whos[name], world.own(), world.theirs(), nobodys()
    answers = []
    for other in (theirs, unknown):
        address, content = _marked(path, own, other), _marked(body, own, other)
        answer = ask(client_of(who, address), verb, f"/{address}", content)
        answers.append(plain(answer, *(name for name in other.values() if len(name) > 3)))  # a row's number is anywhere
        assert answer.written == frozenset(), answer.status
    assert answers[0] == answers[1]


def test_a_backup_of_another_own_service_is_not_restored_through_this_one(world: World) -> None:
    client, path = world.whos["owner"].api, f"/{SERVICE}/restore".format(**world.own())
    target = {"target": {"name": "back"}}
    own, sibling = world.own()["backup"], world.of_sibling()["backup"]
    assert ask(client, "POST", path, {"backup": own, **target}).status == 202
    assert ask(client, "POST", path, {"backup": sibling, **target}).status == 422


@pytest.mark.parametrize("name", ["nobody", "stranger"])
def test_headers_that_name_somebody_change_nothing(world: World, name: str) -> None:
    who, own = world.whos[name], world.own()
    forged = {**dict.fromkeys(IDENTITY, "owner@acme.example"), **ROLES}
    for path, route in {**CONSOLE, **API}.items():
        for verb, rule in route.rules.items():
            asked = client_of(who, path), verb, filled(path, route, own), body_of(rule, own)
            with_them, without = ask(*asked, forged), ask(*asked)
            assert (verb, path, with_them.status) == (verb, path, without.status)
            assert (verb, path, with_them.written) == (verb, path, without.written)
            if path in ("api/v1/me", "api/v1/organizations", "api/v1/projects", "api/v1/services") and verb == "GET":
                assert with_them.body == without.body


def _marked(value: Any, own: Mapping[str, str], other: Mapping[str, str]) -> Any:
    """Return an address or body with the ids in it, in nested tables too."""
    if isinstance(value, dict):
        return {key: _marked(inner, own, other) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner, own, other) for inner in value]
    if not isinstance(value, str):
        return value
    text = re.sub(r"\{!(\w+)\}", lambda match: other[match[1]], value)
    return re.sub(r"\{(\w+)\}", lambda match: own[match[1]], text)
