"""Every write gets every field of every model: what a serializer or form does not declare changes nothing."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model

from portal.accounts.models import ApiToken, User
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from portal.resources.models import Child, Operation, Quote, Resource
from tests.matrix.asking import ask
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
MODELS: tuple[type[Model], ...] = (
    User, ApiToken, Organization, Project, Membership, ProjectMembership, Resource, Child, Operation, Quote,
)  # fmt: skip
VOLATILE = re.compile(r"(^|_)(id|at|digest|hint|handle|password|until)$|^(fence|fingerprint|body|quote)$")
BY_CHANCE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.+]+|'(day|start_utc)': '[\w:]+'")
FIELDS = sorted({field.name for model in MODELS for field in model._meta.get_fields()} | {"is_staff", "is_superuser"})
NAMED = re.compile(r'name="([\w.-]+)"')


def test_models_of_the_matrix_are_all_that_people_write() -> None:
    ours = {model for model in apps.get_models() if model.__module__.startswith(("portal.accounts", "portal.projects"))}
    assert {model.__name__ for model in ours - set(MODELS)} <= {"SignInLink"}


@pytest.mark.parametrize("path", [path for path, route in API.items() if {"POST", "PATCH"} & route.rules.keys()])
def test_no_body_takes_a_field_that_it_does_not_declare(world: World, path: str) -> None:
    route, names, client = API[path], world.own(), world.whos["owner"].api
    for verb, rule in route.rules.items():
        if verb in ("POST", "PATCH"):
            alone = ask(client, verb, filled(path, route, names), {"no-such-field": 1})
            declared = set(re.findall(r"[a-z_]+", alone.body.partition("Known fields: ")[2].partition(".")[0]))
            extra = {name: True for name in FIELDS if name not in declared}
            answer = ask(client, verb, filled(path, route, names), {**body_of(rule, names), **extra})
            assert (answer.status, answer.written) == (422, frozenset())
            assert [name for name in extra if f'"/{name}"' not in answer.body] == []


@pytest.mark.parametrize("path", [path for path, route in CONSOLE.items() if "POST" in route.rules])
def test_no_form_takes_a_field_that_it_does_not_show(world: World, path: str) -> None:
    route, names, client = CONSOLE[path], world.own(), world.whos["owner"].browser
    assert client is not None
    body, address = body_of(route.rules["POST"], names), filled(path, route, names)
    page = address.rpartition("/")[0] if path.endswith("settings/<part>") else address
    shown = {*NAMED.findall(ask(client, "GET", page).body), *body, "next", "way", "quick", "organization_role"}
    extra = {name: "true" for field in FIELDS for name in (field, f"spec-{field}") if name not in shown}
    plainly, stuffed = (ask(client, "POST", address, sent, look=rows) for sent in (body, {**body, **extra}))
    assert stuffed.status == plainly.status
    for model, before in plainly.seen.items():
        known = {text for row in before for text in row}
        assert (model, [text for row in stuffed.seen[model] for text in row if text not in known]) == (model, [])


@pytest.mark.parametrize("hidden", ["main", "predecessor"])
def test_a_setting_that_only_the_platform_makes_is_refused_from_outside(world: World, hidden: str) -> None:
    names, client = world.own(), world.whos["owner"].api
    path = f"/api/v1/services/{names['service']}/users"
    for verb, address in (("POST", path), ("PATCH", f"{path}/{names['login']}")):
        body: dict[str, Any] = {"spec": {hidden: True}, **({"name": "new"} if verb == "POST" else {})}
        answer = ask(client, verb, address, body)
        assert (answer.status, answer.written) == (422, frozenset())


def rows() -> dict[str, list[list[str]]]:
    """Return all that the models hold but what differs by chance."""
    return {model.__name__: sorted(_plain(row) for row in model._default_manager.values()) for model in MODELS}


def _plain(row: dict[str, Any]) -> list[str]:
    shown = [f"{name}={value}" for name, value in sorted(row.items()) if not VOLATILE.search(name)]
    return [BY_CHANCE.sub("…", text) for text in shown]
