"""What is taken from somebody is gone at their very next request, whichever route it asks: role, token, session.

Each thing is taken by the route that people take it with; then every route × verb is asked anew, by the same clients.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from portal.projects import permissions as table
from tests.fixtures import token_of
from tests.matrix.asking import Asker, ask
from tests.matrix.two_places import BELONGS, browser, in_acme, in_other, somebody, wrong
from tests.matrix.world import Who, World

pytestmark = pytest.mark.django_db
NOTHING: frozenset[str] = frozenset()
LOOKS_ON = BELONGS | table.BY_PROJECT_ROLE["viewer"]
Take = Callable[[Client, str], int]


def out_of_the_organization(owner: Client, member: str) -> int:
    return owner.delete(f"/api/v1/organizations/acme/members/{member}").status_code


def out_of_the_project(owner: Client, member: str) -> int:
    return _with_role(owner, member, None)


def to_a_lower_role(owner: Client, member: str) -> int:
    return _with_role(owner, member, "viewer")


def _with_role(owner: Client, member: str, role: str | None) -> int:
    path, body = f"/api/v1/projects/acme-prod/members/{member}", {"project_role": role}
    return owner.patch(path, body, content_type="application/json").status_code


@pytest.mark.parametrize(
    ("take", "in_project", "in_organization"),
    [
        (out_of_the_organization, NOTHING, NOTHING),
        (out_of_the_project, BELONGS, BELONGS),
        (to_a_lower_role, LOOKS_ON, BELONGS),
    ],
)
def test_a_role_that_was_taken_is_gone_at_the_next_request(
    world: World, take: Take, in_project: frozenset[str], in_organization: frozenset[str]
) -> None:
    before, own = world.whos["developer"], world.own()
    reveal = "POST", f"/api/v1/services/{own['service']}/credentials/{own['credential']}/reveal"
    assert ask(before.api, *reveal).status == 200
    assert before.user is not None
    assert take(world.whos["owner"].api, before.user.public_id) in (200, 204)
    after = replace(before, in_project=in_project, in_organization=in_organization)
    assert [line for by in ("console", "api") for line in wrong(after, own, of_other=False, by=by)] == []


def test_who_is_taken_out_of_one_organization_keeps_the_other_as_it_was(world: World) -> None:
    user = somebody()
    owned, looked_on, own = in_acme(user), in_other(user), world.own()
    assert out_of_the_organization(world.whos["owner"].api, user.public_id) == 204
    nothing = replace(owned, in_project=NOTHING, in_organization=NOTHING)
    assert [line for by in ("console", "api") for line in wrong(nothing, own, of_other=False, by=by)] == []
    theirs = world.theirs()
    assert [line for by in ("console", "api") for line in wrong(looked_on, theirs, of_other=True, by=by)] == []


def test_a_token_that_was_taken_back_opens_nothing_at_the_next_request(world: World) -> None:
    owner = world.whos["owner"]
    assert owner.user is not None
    token, plain = token_of(owner.user, name="to be taken back")
    client = Asker(headers={"authorization": f"Bearer {plain}"})
    assert ask(client, "GET", "/api/v1/me").status == 200
    assert owner.api.delete(f"/api/v1/tokens/{token.public_id}").status_code == 204
    nobody = Who("token taken back", None, NOTHING, NOTHING, api=client)
    assert wrong(nobody, world.own(), of_other=False, by="api") == []


def test_a_session_that_was_ended_opens_nothing_at_the_next_request(world: World) -> None:
    owner = world.people["owner"]
    there = browser(owner)
    assert there.get("/account").status_code == 200  # by which the session is listed
    row = UserSession.objects.get(session_key=there.session.session_key)
    assert browser(owner).post(f"/account/sessions/{row.pk}/end").status_code == 302
    nobody = Who("session ended", None, NOTHING, NOTHING, browser=there, api=there)
    assert [line for by in ("console", "api") for line in wrong(nobody, world.own(), of_other=False, by=by)] == []
