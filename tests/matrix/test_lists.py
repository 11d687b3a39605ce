"""Whatever can be read holds what its reader may see and nothing else, however it is narrowed, sorted or paged."""

import json

import pytest
from django.core import signing

from tests.matrix.asking import ask
from tests.matrix.routes import API, CONSOLE, filled
from tests.matrix.test_access import PEOPLE, TOKENS
from tests.matrix.test_ids import client_of
from tests.matrix.world import Who, World

pytestmark = pytest.mark.django_db
PROVIDER = ("operator", "support")  # they see all organizations
# Lists with what narrows, widens, sorts and searches them.
ASKED = (
    *("search?q=box", "search?q=foreign", "search?q=toy", "services?all=1", "services?all=1&bin=1", "services?q=e"),
    *("services?all=1&sort=name.asc", "services?all=1&tag=a", "audit?action=service", "audit?outcome=done"),
    *("catalog/toy?plan=dev-2", "api/v1/services?q=e", "api/v1/services?sort=name", "api/v1/services?limit=1"),
    *("api/v1/services?offering=toy", "api/v1/audit?action=service", "api/v1/audit?limit=1", "api/v1/projects?limit=1"),
)  # fmt: skip
CURSORS = ("api/v1/services", "api/v1/audit", "api/v1/tokens", "api/v1/projects", "api/v1/organizations")


def marks(world: World, *, foreign: bool) -> dict[str, list[str]]:
    """Return what shows that something of an organization was read, by the permission that it takes."""
    ids, project = (world.theirs(), "Other production") if foreign else (world.own(), "Acme production")
    names = ("foreign",) if foreign else ("box", "second")
    services = [ids[name] for name in ("service", "operation", "credential", "backup", "login")]
    return {
        "service.read": [*services, *(f"{name}.service.example" for name in names)],
        "audit.read": [f"why-{name}-was-made" for name in names],
        "project.read": [project],
        "organization.read": ["@other.example" if foreign else "lead@acme.example"],
    }


def addresses(world: World, own: dict[str, str]) -> list[str]:
    routes = [filled(path, route, own) for path, route in {**CONSOLE, **API}.items() if "GET" in route.rules]
    return [*routes, *(f"/{address}" for address in ASKED)]


def seen(who: Who, asked: list[str], words: list[str]) -> list[tuple[str, str]]:
    """Return which of some words stand in the answers that somebody gets, and where."""
    found = []
    for address in asked:
        if (client := client_of(who, address)) is not None:
            answer = ask(client, "GET", address)
            found += [(address, word) for word in words if word in answer.body and answer.status < 300]
    return found


@pytest.mark.parametrize("name", [name for name in (*PEOPLE, *TOKENS) if name not in PROVIDER])
def test_nobody_reads_what_is_not_theirs(world: World, name: str) -> None:
    who = world.whos[name]
    acme, other = marks(world, foreign=False), marks(world, foreign=True)
    if name == "stranger":
        assert seen(who, addresses(world, world.own()), [word for words in acme.values() for word in words]) == []
        return
    unseen = [word for words in other.values() for word in words]
    for permission, words in acme.items():
        hidden = not who.may(permission) or (permission == "service.read" and not who.sees_family)
        unseen += words if hidden else []
    assert seen(who, addresses(world, world.own()), unseen) == []


def test_an_owner_reads_all_of_their_own(world: World) -> None:
    """The search of the other test finds each of its marks where it may be read."""
    words = [word for words in marks(world, foreign=False).values() for word in words]
    assert {word for _address, word in seen(world.whos["owner"], addresses(world, world.own()), words)} == set(words)


@pytest.mark.parametrize("path", CURSORS)
def test_a_page_that_begins_in_the_list_of_another_holds_one_s_own_alone(world: World, path: str) -> None:
    owner, stranger = world.whos["owner"], world.whos["stranger"]
    ids = world.own()
    words = [ids["service"], "why-box-was-made", "Acme production", ids["token"], "acme"]
    first = json.loads(ask(owner.api, "GET", f"/{path}?limit=1").body)
    cursor = first["next_cursor"] or signing.dumps(["", ids["service"]])
    assert seen(stranger, [f"/{path}?cursor={cursor}", f"/{path}?cursor={cursor}&limit=1"], words) == []


def test_a_session_that_remembers_a_project_shows_it_while_it_may_be_seen(world: World) -> None:
    for name, is_shown in (("owner", False), ("stranger", True)):
        browser = world.whos[name].browser
        assert browser is not None
        session = browser.session
        session["project"] = "other-prod"
        session.save()
        for address in ("/", "/services", "/catalog/toy", "/projects/new"):
            assert (name, address, "Other production" in ask(browser, "GET", address).body) == (name, address, is_shown)


def test_a_token_lists_none_that_is_stronger(world: World) -> None:
    for name, mine in (("read", {"read"}), ("family:toys", {"family:toys"}), ("write", {"read", "write"})):
        listed = json.loads(ask(world.whos[name].api, "GET", "/api/v1/tokens?limit=200").body)["items"]
        assert listed
        assert {scope for token in listed for scope in token["scopes"]} >= mine
        assert [token for token in listed if not token["scopes"]] == []
        assert name == "write" or {scope for token in listed for scope in token["scopes"]} == mine
