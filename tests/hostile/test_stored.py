"""Rows that an upgrade left with settings that its schema refuses: pages open, edits say what to mend, and mend it."""

import json
from collections.abc import Iterator

import pytest
from django.db import transaction

from portal.accounts.actors import actor_for
from portal.core.conditions import find
from portal.resources import actions, engine
from portal.resources.models import Child, Resource
from tests.hostile.asking import send
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.world import World

BAD_SPEC = {"disk_gib": "plenty", "greeting": ["hello"], "store": 7, "born_with": "a", "left the schema": True}
BAD_LOGIN = {"access": "everything", "main": True, "predecessor": None}
pytestmark = pytest.mark.django_db


@pytest.fixture
def spoiled(world: World) -> Iterator[Resource]:
    """The service and its login, with settings that were right once."""
    with transaction.atomic():
        Resource.objects.filter(id=world.mine.id).update(spec=BAD_SPEC, next_reconcile_at=None)
        Child.objects.filter(resource=world.mine, kind="users").update(spec=BAD_LOGIN)
        yield Resource.objects.get(id=world.mine.id)
        transaction.set_rollback(True)


def test_every_page_and_every_call_still_answers(world: World, spoiled: Resource) -> None:
    who = world.whos["owner"]
    for table, client, kind in ((CONSOLE, who.browser, None), (API, who.api, "application/json")):
        assert client is not None
        for path, route in ((path, route) for path, route in table.items() if path != "readyz"):
            for verb, rule in route.rules.items():
                body = body_of(rule, world.own())
                sent = body if kind is None else _json(body)
                left = send(world, client, verb, filled(path, route, world.own()), sent, kind)
                assert (verb, path, left.status < 500) == (verb, path, True), left.body[:300]


def test_an_edit_names_what_is_wrong_and_mends_it(world: World, spoiled: Resource) -> None:
    client, path = world.whos["owner"].api, f"/api/v1/services/{spoiled.public_id}"
    shown = send(world, client, "GET", path)
    assert shown.problem["spec"] | {"disk_gib": "plenty", "store": 7} == shown.problem["spec"]
    plain = send(world, client, "PATCH", path, _json({"description": "as before"}))
    assert (plain.status, plain.written) == (200, plain.written | {"resources_resource"})
    half = send(world, client, "PATCH", path, _json({"spec": {"disk_gib": 20}}))
    assert (half.status, half.touched) == (422, frozenset())
    assert {error["pointer"] for error in half.problem["errors"]} == {"/spec/greeting", "/spec/store"}
    whole = send(world, client, "PATCH", path, _json({"spec": {"disk_gib": 20, "greeting": "hello", "store": None}}))
    assert whole.status == 202
    login = f"{path}/users/{world.own()['login']}"
    assert send(world, client, "PATCH", login, _json({"spec": {}})).problem["errors"][0]["pointer"] == "/spec/access"
    assert send(world, client, "PATCH", login, _json({"spec": {"access": "read"}})).status == 202


def test_the_engine_says_so_and_leaves_what_runs_alone(world: World, spoiled: Resource) -> None:
    owner = world.whos["owner"].user
    applied = world.backend.applied
    Resource.objects.filter(id=spoiled.id).update(next_reconcile_at=spoiled.created_at)
    engine.reconcile(spoiled.id)
    row = Resource.objects.get(id=spoiled.id)
    synced = find(row.conditions, "Synced")
    assert synced is not None
    assert (synced.reason, "disk_gib" in synced.message, world.backend.applied) == ("Refused", True, applied)
    assert owner is not None
    actor = actor_for(owner)
    right = {"disk_gib": 20, "greeting": "hello", "store": None}
    actions.edit(actor, row, changes=actions.Edit(spec=right))
    login = Child.objects.get(resource=row, kind="users")
    login.resource = row
    actions.edit_child(actor, login, spec={"access": "read"})
    engine.reconcile(row.id)
    assert world.backend.applied == applied + 1
    assert world.backend.wanted[row.handle].rendered.argv == ("toy", "hello")


def test_it_can_be_deleted_as_it_is(world: World, spoiled: Resource) -> None:
    owner = world.whos["owner"].user
    assert owner is not None
    actions.delete(actor_for(owner), spoiled, policy="wipe")
    for _turn in range(4):
        engine.reconcile(spoiled.id)
    assert Resource.objects.get(id=spoiled.id).purged_at is not None


def _json(body: object) -> bytes:
    return json.dumps(body).encode()
