"""Every route × verb for somebody who owns one organization and is a viewer in the other: no role crosses over."""

from collections.abc import Iterator

import pytest
from django.db import transaction

from portal.accounts.models import User
from tests.matrix.asking import ask
from tests.matrix.routes import API, CONSOLE, filled
from tests.matrix.test_lists import ASKED, marks
from tests.matrix.two_places import in_acme, in_other, names_of, somebody, wrong
from tests.matrix.world import ORDER, World

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def user(world: World) -> Iterator[User]:
    with transaction.atomic():
        yield somebody()
        transaction.set_rollback(True)


@pytest.mark.parametrize("by", ["console", "api"])
def test_where_they_own_all_is_allowed_that_an_owner_may(world: World, user: User, by: str) -> None:
    assert wrong(in_acme(user), names_of(world, "acme"), of_other=False, by=by) == []


@pytest.mark.parametrize("by", ["console", "api"])
def test_where_they_look_on_every_verb_is_refused_that_a_viewer_has_not(world: World, user: User, by: str) -> None:
    assert wrong(in_other(user), names_of(world, "other"), of_other=True, by=by) == []


@pytest.mark.parametrize("by", ["console", "api"])
def test_what_is_asked_about_one_organization_shows_nothing_of_the_other(world: World, user: User, by: str) -> None:
    own, other = told_in(world, user, by, "acme"), told_in(world, user, by, "other")
    words = {foreign: _words(world, foreign=foreign) for foreign in (False, True)}
    assert [(address, word) for address, body in own for word in words[True] if word in body] == []
    assert [(address, word) for address, body in other for word in words[False] if word in body] == []
    for bodies, here in ((own, words[False]), (other, words[True])):
        assert any(word in body for _address, body in bodies for word in here), "the search finds what is there"


def told_in(world: World, user: User, by: str, place: str) -> list[tuple[str, str]]:
    """Return each address that is about one organization alone, with what they read there."""
    who = in_acme(user)
    client, routes = (who.api, API) if by == "api" else (who.browser, CONSOLE)
    assert client is not None
    here, there = names_of(world, place), names_of(world, "other" if place == "acme" else "acme")
    reading = [(path, route) for path, route in routes.items() if "GET" in route.rules]
    addresses = [filled(*one, here) for one in reading if filled(*one, here) != filled(*one, there)]
    return [(address, ask(client, "GET", address).body) for address in addresses]


def _words(world: World, *, foreign: bool) -> list[str]:
    """Return the marks of an organization but its projects' names: the console names one's own on every page."""
    found = marks(world, foreign=foreign)
    return [word for permission, words in found.items() if permission != "project.read" for word in words]


def test_what_takes_a_higher_role_is_read_where_they_have_it_alone(world: World, user: User) -> None:
    """In lists over both organizations, too: an owner's audit log of Acme is none of the other's."""
    who = in_acme(user)
    own, theirs = marks(world, foreign=False)["audit.read"], marks(world, foreign=True)["audit.read"]
    reading = [
        filled(path, route, names)
        for path, route in API.items()
        if "GET" in route.rules
        for names in (world.own(), world.theirs())
    ]
    bodies = [ask(who.api, "GET", address).body for address in (*reading, *(f"/{a}" for a in ASKED if "api/" in a))]
    assert who.browser is not None
    bodies += [ask(who.browser, "GET", address).body for address in ("/audit", "/audit?action=service", "/")]
    assert {word for word in own if any(word in body for body in bodies)} == set(own)
    assert {word for word in theirs if any(word in body for body in bodies)} == set()


def test_nothing_is_carried_from_where_they_own_to_where_they_look_on(world: World, user: User) -> None:
    """Ids of both organizations in one request: the body's are checked as the path's are."""
    who, own, theirs = in_acme(user), world.own(), world.theirs()
    restored = {"target": {"name": "restored"}}
    tries = (
        ("POST", f"/api/v1/services/{own['service']}/move", {"project": "other-prod"}),
        ("POST", f"/api/v1/services/{theirs['service']}/move", {"project": "acme-prod"}),
        ("POST", f"/api/v1/services/{own['service']}/restore", {"backup": theirs["backup"], **restored}),
        ("POST", f"/api/v1/services/{theirs['service']}/restore", {"backup": own["backup"], **restored}),
        ("POST", "/api/v1/projects", {"name": "New", "organization": "other-org"}),
        ("POST", "/api/v1/projects/other-prod/services", ORDER),
        ("GET", f"/api/v1/services/{own['service']}/backups/{theirs['backup']}/download", {}),
        ("POST", f"/api/v1/services/{own['service']}/credentials/{theirs['credential']}/reveal", {}),
        ("DELETE", f"/api/v1/organizations/acme/members/{theirs['member']}", {}),
        ("DELETE", f"/api/v1/organizations/acme/service-accounts/{theirs['account']}", {}),
        ("DELETE", f"/api/v1/organizations/acme/invitations/{theirs['invitation']}", {}),
    )
    done = []
    for verb, address, body in tries:
        answer = ask(who.api, verb, address, body)
        done += [(verb, address, answer.status)] if answer.status < 400 or answer.written else []
    assert done == []
