"""The admin site: everybody × every route × every verb. Only the provider's people see it; it writes by actions."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model

from portal.core.admin import ReadOnlyAdmin
from tests.matrix.asking import Answer, ask
from tests.matrix.routes import VERBS, in_url_table
from tests.matrix.test_access import PEOPLE
from tests.matrix.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lasting_proof")]
STAFF = ("operator", "support")
PATHS = sorted({path for path in in_url_table() if path.startswith("admin/")})
OF_MODEL = re.compile(r"admin/(\w+)/(\w+)/(?:<object_id>/)?(?:(add|history|delete|change)/)?")
SITE = {  # what is of no model, with the statuses that staff may get
    "admin/": (200, 405),
    "admin/login/": (302,),
    "admin/logout/": (200, 302, 405),
    "admin/password_change/": (404,),
    "admin/password_change/done/": (200, 405),
    "admin/autocomplete/": (200, 403, 405),  # 200: OPTIONS, with no body
    "admin/jsi18n/": (200, 405),
    "admin/r/<content_type_id>/<object_id>/": (404,),
}


def filled(path: str) -> str:
    match = OF_MODEL.fullmatch(path)
    if path.startswith("admin/^"):
        return "/admin/resources/" if "app_label" in path else "/admin/nothing-here"
    row = _model(match[1], match[2])._default_manager.first() if match and "<object_id>" in path else None
    return f"/{path}".replace("<object_id>", str(row.pk if row else 1)).replace("<content_type_id>", "1")


def _model(app: str, name: str) -> type[Model]:
    return apps.get_model(app, name)


def test_every_model_is_shown_by_the_frame_that_only_reads() -> None:
    assert [model for model, shown in admin.site._registry.items() if not isinstance(shown, ReadOnlyAdmin)] == []


@pytest.mark.parametrize("name", [name for name in PEOPLE if name not in STAFF])
def test_nobody_but_the_provider_gets_in(world: World, name: str) -> None:
    client = world.whos[name].browser
    assert client is not None
    for path in PATHS:
        for verb in VERBS:
            answer = ask(client, verb, filled(path))
            away = answer.status == 302 and answer.location.startswith(("/admin/", "/sign-in"))
            assert (path, verb, answer.status, away or answer.status in (403, 404, 405)) == (
                path, verb, answer.status, True,
            )  # fmt: skip
            assert answer.written == frozenset()


@pytest.mark.parametrize("name", STAFF)
def test_the_provider_looks_and_changes_nothing_here(world: World, name: str) -> None:
    client = world.whos[name].browser
    assert client is not None
    for path in PATHS:
        for verb in VERBS:
            answer = ask(client, verb, filled(path))
            said = f"{verb} {path} as {name}: {answer.status}"
            assert (said, answer.written) == (said, frozenset())
            assert (said, _is_right(path, verb, name, answer)) == (said, True)


def test_support_starts_no_action_and_an_operator_needs_a_reason(world: World) -> None:
    asked = {"action": "force_delete", "_selected_action": str(world.mine.pk)}
    path = "/admin/resources/resource/"
    operator, support = world.whos["operator"].browser, world.whos["support"].browser
    assert operator is not None
    assert support is not None
    for body in (asked, {**asked, "reason": "because"}):
        answer = ask(support, "POST", path, body)
        assert (answer.status in (200, 302, 403), answer.written) == (True, frozenset())
    assert ask(operator, "POST", path, asked).written == frozenset()
    assert "resources_resource" in ask(operator, "POST", path, {**asked, "reason": "because"}).written


def _is_right(path: str, verb: str, name: str, answer: Answer) -> bool:
    match = OF_MODEL.fullmatch(path)
    if path in SITE:
        return answer.status in SITE[path]
    if match is None or (verb == "OPTIONS" and "<object_id>" not in path and not answer.body):
        return answer.status < 500
    shown = admin.site._registry[_model(match[1], match[2])]
    assert isinstance(shown, ReadOnlyAdmin)
    sees = name == "operator" or not shown.operators_only
    if match[3] == "delete":
        return answer.status in (302, 403)  # 302: no such row
    if match[3] == "add":
        return (answer.status != 403) == (name == "operator" and match[2] in ("pricebook", "announcement"))
    if match[3] == "change" and verb == "POST":
        return answer.status in (302, 403)
    return answer.status in ((200, 301, 302, 404) if sees else (302, 403))
