"""Every route × every bad word in its path, every parameter of the document × every bad text: a 4xx or an answer."""

import re
from urllib.parse import quote

import pytest

from portal.core.api.reference import openapi
from tests.hostile.asking import PROBLEM, send
from tests.hostile.values import TEXTS
from tests.matrix.routes import API, CONSOLE, Route, filled
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
WORDS = {word: text.replace("\ud800", "\ufffd") for word, text in TEXTS.items() if text.strip() and len(text) < 500}
RAW = (
    "%00",
    "%ff",
    "%2e%2e%2f%2e%2e%2fetc",
    "..",
    "%",
    "svc_",
    "svc_01JB7Q8W5T9X3M4K2N6P7R8S9",
    "svc_" + "Z" * 26,
    "a" * 8000,
)
SHARES = 24
CONVERTER = re.compile(r"<(\w+)>")


def places(routes: dict[str, Route]) -> list[tuple[str, str, str]]:
    """Return path, verb and the one parameter that is bad, for each there is."""
    return [
        (path, verb, name) for path, route in routes.items() for verb in route.rules for name in CONVERTER.findall(path)
    ]


@pytest.mark.parametrize("share", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(1, SHARES))])
@pytest.mark.parametrize("routes", [CONSOLE, API], ids=["console", "api"])
def test_a_bad_word_in_a_path_is_not_there(world: World, routes: dict[str, Route], share: int) -> None:
    who = world.whos["owner"]
    client = who.api if routes is API else who.browser
    assert client is not None
    words = [*RAW, *(quote(text, safe="") for text in WORDS.values())]
    for number, (path, verb, name) in enumerate(places(routes)):
        for word in words[(number + share) % SHARES :: SHARES]:
            address = _with(path, routes[path], world, name, word)
            left = send(world, client, verb, address, b"{}" if routes is API else {}, _kind(routes))
            said = f"{verb} {address[:200]}: {left.status} {left.body[:200]}"
            assert (said, left.status in (302, 400, 404, 405, 410, 422)) == (said, True)
            assert (said, left.touched) == (said, frozenset())
            if routes is API and left.status >= 400:
                assert (said, left.headers["Content-Type"]) == (said, PROBLEM)


def test_a_bad_parameter_is_refused_by_its_name_or_understood(world: World) -> None:
    client, number = world.whos["owner"].api, 0
    for address, methods in openapi()["paths"].items():
        path = address.replace("{", "<").replace("}", ">").lstrip("/")
        for verb, operation in methods.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "query" or verb not in ("get", "delete"):
                    continue
                for text in list(WORDS.values())[number % SHARES :: SHARES]:
                    query = f"{parameter['name']}={quote(text, safe='')}"
                    left = send(world, client, verb.upper(), f"{filled(path, API[path], world.own())}?{query}")
                    said = f"{verb} {path} {query[:100]}: {left.status} {left.body[:200]}"
                    assert (said, left.status in (200, 202, 404, 422)) == (said, True)
                    if left.status == 422:
                        pointers = [error["pointer"] for error in left.problem["errors"]]
                        assert (said, pointers) == (said, [f"?{parameter['name']}"])
                number += 1
    assert number > 50


def test_a_bad_query_of_a_page_opens_it_or_says_so(world: World) -> None:
    client, number = world.whos["owner"].browser, 0
    assert client is not None
    names = (
        "q",
        "state",
        "tag",
        "sort",
        "cursor",
        "page",
        "project",
        "since",
        "until",
        "part",
        "plan",
        "family",
        "name",
    )
    for path, route in CONSOLE.items():
        for name in names if "GET" in route.rules and path != "readyz" else ():
            text = list(WORDS.values())[number % len(WORDS)]
            address = f"{filled(path, route, world.own())}?{name}={quote(text, safe='')}"
            left = send(world, client, "GET", address)
            assert (address, left.status < 500) == (address, True)
            assert (address, left.written <= {"resources_quote", "resources_event", "audit_auditevent"}) == (
                address,
                True,
            )
            number += 1


def _with(path: str, route: Route, world: World, name: str, word: str) -> str:
    """Return the address with one parameter replaced by a word that is sent as it stands."""
    mark = "HERE-GOES-THE-WORD"
    names = {**world.own(), name.removesuffix("_id"): mark}
    words = {key: value for key, value in route.words.items() if key not in (name, "child")}
    child = {} if name.startswith("child") else {"child": route.words.get("child", "")}
    bare = Route(route.rules, {**words, **child})
    return filled(path, bare, {**names, "child": mark}).replace(mark, word)


def _kind(routes: dict[str, Route]) -> str | None:
    return "application/json" if routes is API else None
