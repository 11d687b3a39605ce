"""Scope × endpoint, with tokens of somebody who owns two organizations: a token sees its scope and no more.

Security case 10: a weak token listed stronger ones, an organization's token saw its creator's other organizations.
"""

import datetime
import json
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.utils import timezone

from portal.accounts.models import ApiToken, User
from portal.projects.models import Membership, Organization, Project
from tests.fixtures import token_of
from tests.matrix.asking import Asker, ask
from tests.matrix.routes import API, body_of, filled
from tests.matrix.test_access import _of_declared
from tests.matrix.test_lists import ASKED, marks
from tests.matrix.world import Who, World

pytestmark = pytest.mark.django_db
ONE_PROJECT = (
    ("project:acme-prod",),
    ("project:acme-prod", "read"),
    ("project:acme-prod", "write"),
    ("project:acme-prod", "family:toys"),
)
WIDE = ((), ("write",), ("read",), ("family:toys",), ("project:acme-lab",), ("project:other-prod",))
NOTHING: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def both(world: World) -> Iterator[User]:
    """The owner of both organizations."""
    with transaction.atomic():
        user = User.objects.create_user("both@acme.example")
        for slug in ("acme", "other-org"):
            Membership.objects.create(user=user, organization=Organization.objects.get(slug=slug), role="owner")
        yield user
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def clients(both: User) -> dict[tuple[str, ...], Asker]:
    """A client with a token for each set of scopes."""
    return {scopes: bearer(both, scopes) for scopes in (*WIDE, *ONE_PROJECT)}


def bearer(user: User, scopes: tuple[str, ...]) -> Asker:
    """Return a client with a new token; that it was used is not written, since no is to write anything."""
    token, plain = token_of(user, *scopes, name="+".join(scopes) or "all")
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() + datetime.timedelta(hours=1))
    return Asker(headers={"authorization": f"Bearer {plain}"})


def of_other(world: World) -> list[str]:
    """Return what shows that something of the other organization was read."""
    found = [word for words in marks(world, foreign=True).values() for word in words]
    ids = world.theirs()
    return [*found, *(ids[name] for name in ("account", "machine_token", "quota_request")), "other-org", "other-prod"]


def reads(world: World) -> list[str]:
    """Return the address of all that can be read, about one's own things."""
    found = [filled(path, route, world.own()) for path, route in API.items() if "GET" in route.rules]
    return [*found, *(f"/{address}" for address in ASKED if address.startswith("api/"))]


def seen_of_other(world: World, client: Asker) -> list[tuple[str, str]]:
    words, found = of_other(world), []
    for address in reads(world):
        body = ask(client, "GET", address).body
        found += [(address, word) for word in words if word in body]
    return found


@pytest.mark.parametrize("scopes", ONE_PROJECT, ids="+".join)
def test_what_a_token_of_one_project_reads_names_no_other_organization(
    world: World, clients: dict[tuple[str, ...], Asker], scopes: tuple[str, ...]
) -> None:
    assert seen_of_other(world, clients[scopes]) == []


def test_the_same_search_finds_the_other_organization_by_a_token_without_scopes(
    world: World, clients: dict[tuple[str, ...], Asker]
) -> None:
    where = {address.partition("?")[0] for address, _word in seen_of_other(world, clients[()])}
    assert where >= {f"/api/v1/{name}" for name in ("me", "organizations", "projects", "services", "audit", "tokens")}


@pytest.mark.parametrize("scopes", ONE_PROJECT, ids="+".join)
def test_what_its_maker_owns_elsewhere_is_not_there_for_a_token_of_one_project(
    world: World, both: User, clients: dict[tuple[str, ...], Asker], scopes: tuple[str, ...]
) -> None:
    """Every route × verb with the ids of the other organization, whose owner the maker is."""
    who, names = Who("a token of both", both, NOTHING, NOTHING, scopes=scopes, api=clients[scopes]), world.theirs()
    wrong = []
    for path, route in API.items():
        for verb, rule in route.rules.items():
            answer = ask(who.api, verb, filled(path, route, names), body_of(rule, names))
            if said := _of_declared(rule.verdict(who), rule, path, verb, answer):
                wrong.append(f"{verb} /{path}: {answer.status} {said} {sorted(answer.written)}")
    assert wrong == []


@pytest.mark.parametrize("scopes", [*WIDE, *ONE_PROJECT], ids=lambda scopes: "+".join(scopes) or "all")
def test_what_a_token_says_of_its_maker_ends_at_its_scope(
    clients: dict[tuple[str, ...], Asker], scopes: tuple[str, ...]
) -> None:
    projects = {scope.removeprefix("project:") for scope in scopes if scope.startswith("project:")}
    projects = projects or set(Project.objects.values_list("slug", flat=True))
    organizations = {"other-org" if slug.startswith("other") else "acme" for slug in projects}
    me = json.loads(ask(clients[scopes], "GET", "/api/v1/me").body)
    listed = {
        name: {item["slug"] for item in json.loads(ask(clients[scopes], "GET", f"/api/v1/{name}").body)["items"]}
        for name in ("organizations", "projects")
    }
    assert {item["slug"] for item in me["projects"]} == listed["projects"] == projects
    assert {item["slug"] for item in me["organizations"]} == listed["organizations"] == organizations


@pytest.mark.parametrize("scopes", [*WIDE, *ONE_PROJECT], ids=lambda scopes: "+".join(scopes) or "all")
def test_a_token_lists_none_that_may_do_more(clients: dict[tuple[str, ...], Asker], scopes: tuple[str, ...]) -> None:
    weaker = {
        (): {*WIDE, *ONE_PROJECT},
        ("write",): {*WIDE, *ONE_PROJECT} - {()},
        ("read",): {("read",), ("project:acme-prod", "read")},
        ("family:toys",): {("family:toys",), ("project:acme-prod", "family:toys")},
        ("project:acme-lab",): {("project:acme-lab",)},
        ("project:other-prod",): {("project:other-prod",)},
        ("project:acme-prod",): set(ONE_PROJECT),
        ("project:acme-prod", "write"): set(ONE_PROJECT),
        ("project:acme-prod", "read"): {("project:acme-prod", "read")},
        ("project:acme-prod", "family:toys"): {("project:acme-prod", "family:toys")},
    }
    items = json.loads(ask(clients[scopes], "GET", "/api/v1/tokens?limit=200").body)["items"]
    assert {frozenset(item["scopes"]) for item in items} == {frozenset(found) for found in weaker[scopes]}
