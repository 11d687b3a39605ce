"""Somebody who owns one organization and looks on in another: who they are in each, and what they ask there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from portal.accounts.addresses import settle
from portal.accounts.models import User
from portal.projects import permissions as table
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from tests.fixtures import person, sign_in
from tests.matrix.asking import Asker, ask
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.test_access import _wrong
from tests.matrix.world import Who, World, _bearer

OWNS = table.organization_permissions("owner")
BELONGS = table.organization_permissions("member")
LOOKS_ON = BELONGS | table.BY_PROJECT_ROLE["viewer"]
# What bodies say of Acme, said of the other organization.
_OTHER_WORDS = {"acme": "other-org", "acme-prod": "other-prod", "acme-twin": "other-prod", "Acme": "Other"}


def somebody() -> User:
    """Make the owner of Acme who is a viewer of the other's project."""
    acme, other = (Organization.objects.get(slug=slug) for slug in ("acme", "other-org"))
    user = person("both@acme.example", acme, "owner")
    Membership.objects.create(user=user, organization=other, role="member")
    ProjectMembership.objects.create(user=user, project=Project.objects.get(slug="other-prod"), role="viewer")
    settle(user)
    return user


def in_acme(user: User, *, remembers: str = "other-prod") -> Who:
    """Return who they are in Acme; their browser was last in a project of the other."""
    return Who("owner of both", user, OWNS, OWNS, browser=browser(user, remembers), api=_bearer(user))


def in_other(user: User, *, remembers: str = "acme-prod") -> Who:
    """Return who they are in the other organization; their browser was last in a project that they own."""
    return replace(
        in_acme(user, remembers=remembers), name="viewer of both", in_project=LOOKS_ON, in_organization=BELONGS
    )


def browser(user: User, remembers: str = "") -> Asker:
    """Return a browser in which they have just signed in."""
    client = Asker()
    sign_in(client, user)
    if remembers:
        session = client.session
        session["project"] = remembers
        session.save()
    return client


def wrong(who: Who, names: Mapping[str, str], *, of_other: bool, by: str) -> list[str]:
    """Ask every route × verb of the console or the API with these ids; return what is not as the table says."""
    client, routes = (who.api, API) if by == "api" else (who.browser, CONSOLE)
    assert client is not None
    found = []
    for path, route in routes.items():
        for verb, rule in route.rules.items():
            body = body_of(rule, names)
            answer = ask(client, verb, filled(path, route, names), said_of_other(body) if of_other else body)
            found += [line] if (line := _wrong(who, path, route, verb, answer)) else []
    return found


def said_of_other(body: dict[str, Any]) -> dict[str, Any]:
    return {key: _OTHER_WORDS.get(value, value) if isinstance(value, str) else value for key, value in body.items()}


def names_of(world: World, place: str) -> dict[str, str]:
    return world.own() if place == "acme" else world.theirs()
