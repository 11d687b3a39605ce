"""Ways in beside ids and roles: another site's form, another's idempotency key, a link that somebody made."""

import json
import uuid

import pytest
from django.core import signing

from portal.resources.actions.sharing import SALT
from tests.fixtures import sign_in
from tests.matrix.asking import Answer, Asker, ask
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
REPLAYED = "Idempotency-Replayed"


def strict(world: World) -> Asker:
    """Return the owner's browser, with a server that looks for the CSRF token as in production."""
    client = Asker(enforce_csrf_checks=True)
    sign_in(client, world.people["owner"])
    return client


def test_no_form_of_another_site_does_anything(world: World) -> None:
    client, own = strict(world), world.own()
    done = []
    for path, route in {**CONSOLE, **API}.items():
        for verb in UNSAFE:
            if rule := route.rules.get(verb):
                answer = ask(client, verb, filled(path, route, own), body_of(rule, own))
                done += [(verb, path, answer.status)] if answer.status != 403 or answer.written else []
    assert done == []
    action = {"action": "force_delete", "_selected_action": str(world.mine.pk), "reason": "because"}
    assert ask(client, "POST", "/admin/resources/resource/", action).status == 403


def test_the_key_of_another_account_replays_nothing(world: World) -> None:
    owner, developer, own = world.whos["owner"].api, world.whos["developer"].api, world.own()
    key, seen = {"Idempotency-Key": "everybody-s-favourite"}, 0
    for path, route in API.items():
        rule = route.rules.get("POST")
        if rule is None or path == "api/v1/tokens":
            continue
        asked = ("POST", filled(path, route, own), body_of(rule, own), key)

        def again(asked: tuple[str, str, dict[str, object], dict[str, str]] = asked) -> tuple[Answer, Answer]:
            return ask(owner, *asked), ask(developer, *asked)

        first = ask(owner, *asked, look=again)
        mine, other = first.seen
        if mine.headers.get(REPLAYED):
            assert (path, json.loads(mine.body)) == (path, json.loads(first.body))
            seen += 1
        assert (path, REPLAYED in other.headers) == (path, False)
    assert seen > 8


def test_a_download_link_opens_what_its_maker_may_see_now(world: World) -> None:
    children = {"own": world.backup_of(world.mine), "foreign": world.backup_of(world.foreign)}
    children["unknown"] = str(uuid.UUID(int=7))
    for who in world.whos.values():
        for name, child in children.items():
            if who.scopes or who.user is None:
                continue
            content = {"child": child, "user": str(who.user.id), "token": None}
            answer = ask(Asker(), "GET", f"/download/{signing.dumps(content, salt=SALT)}")
            allowed = who.may("service.secrets") if name == "own" else name == "foreign" and who.name == "stranger"
            assert (who.name, name, answer.status) == (who.name, name, 200 if allowed else 404)
            assert (who.name, name, bool(answer.written)) == (who.name, name, allowed)


def test_a_link_is_no_other_signature_of_ours(world: World) -> None:
    content = {"child": world.backup_of(world.mine), "user": str(world.people["owner"].id), "token": None}
    signed = signing.dumps(content, salt=SALT)
    altered = json.dumps(content)
    for token in (signing.dumps(content), signing.dumps(content, salt="sessions"), signed[:-2] + "xx", altered):
        assert ask(Asker(), "GET", f"/download/{token}").status == 404
    assert ask(Asker(), "HEAD", f"/download/{signed}").status == 405
