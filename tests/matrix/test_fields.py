"""Every write gets every field of every model: what a serializer or form does not declare changes nothing."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import models
from django.db.models import Model
from django.forms import BaseForm
from django.forms.models import BaseModelForm
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers

from portal.accounts.models import ApiToken, User
from portal.clusters.models import Region, SovereigntyFact
from portal.core.api.reference import openapi
from portal.core.api.serializers import Strict
from portal.core.vault import seal
from portal.notify.models import Announcement, Mail
from portal.projects.models import (
    Invitation,
    Membership,
    Organization,
    Project,
    ProjectMembership,
    Quota,
    QuotaRequest,
)
from portal.resources.models import Child, Operation, Quote, Resource
from tests.matrix.asking import ask
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lasting_proof")]
MODELS: tuple[type[Model], ...] = (
    User, ApiToken, Organization, Project, Membership, ProjectMembership, Invitation, Quota, QuotaRequest,
    Resource, Child, Operation, Quote,
)  # fmt: skip
VOLATILE = re.compile(r"(^|_)(id|at|digest|hint|handle|password|until)$|^(fence|fingerprint|body|quote)$")
BY_CHANCE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}@|\d{4}-\d\d-\d\dT[\d:.+]+|'(day|start_utc)': '[\w:]+'|\d{8}-\d{6}(-\d+)?"
)
ACTED_ON = [model for model, shown in admin.site._registry.items() if shown.actions and not model._meta.proxy]
NAMED = re.compile(r'name="([\w.-]+)"')


def _likely(field: Any) -> Any:
    """Return what a field would take, so that a body which is laid over a row changes it."""
    if getattr(field, "choices", None):
        return next(iter(field.choices))[0]  # the most that there is: owner, admin …
    if isinstance(field, models.BooleanField):
        return True
    if isinstance(field, models.IntegerField):
        return 7
    if isinstance(field, models.JSONField):
        return {"stuffed": "stuffed"} if field.get_default() == {} else ["stuffed"]
    return "2030-01-01T00:00:00Z" if isinstance(field, models.DateTimeField) else "stuffed"


FIELDS: dict[str, Any] = {field.name: _likely(field) for model in MODELS for field in model._meta.get_fields()} | {
    "is_staff": True,
    "is_superuser": True,
}


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
            extra = {name: value for name, value in FIELDS.items() if name not in declared}
            answer = ask(client, verb, filled(path, route, names), {**body_of(rule, names), **extra})
            assert (answer.status, answer.written) == (422, frozenset())
            assert [name for name in extra if f'"/{name}"' not in answer.body] == []


@pytest.mark.parametrize("path", [path for path, route in CONSOLE.items() if "POST" in route.rules])
def test_no_form_takes_a_field_that_it_does_not_show(world: World, path: str) -> None:
    assert _changed_unasked(world, path) == {}


def _changed_unasked(world: World, path: str) -> dict[str, list[str]]:
    """Return what a form changes besides, by model, when it is sent with every field of every model."""
    route, names, client = CONSOLE[path], world.own(), world.whos["owner"].browser
    assert client is not None
    body, address = body_of(route.rules["POST"], names), filled(path, route, names)
    page = address.rpartition("/")[0] if path.endswith("settings/<part>") else address
    shown = {*NAMED.findall(ask(client, "GET", page).body), *body, "next", "way", "quick", "organization_role"}
    plainly, stuffed = (
        ask(client, "POST", address, sent, look=rows) for sent in (body, {**body, **_undeclared(shown)})
    )
    assert stuffed.status == plainly.status
    return _more(plainly.seen, stuffed.seen)


def _undeclared(shown: set[str]) -> dict[str, str]:
    """Return every field as a form would send it, also as one of a spec."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in FIELDS.items()}
    return {key: text for name, text in texts.items() for key in (name, f"spec-{name}") if key not in shown}


def _more(plainly: dict[str, list[list[str]]], stuffed: dict[str, list[list[str]]]) -> dict[str, list[str]]:
    found = {}
    for model, before in plainly.items():
        known = {text for row in before for text in row}
        if new := [text for row in stuffed[model] for text in row if text not in known]:
            found[model] = new
    return found


FACT = {"kind": "country", "value": "Finland", "document": "https://registry.example/", "stated_on": "2026-01-01"}
ASKED_FOR: dict[str, dict[str, str]] = {  # by acts that have a form beside the reason
    "set_quota": {"resource": "services", "limit": "5", "project": ""},
    "grant": {"limit": "5"},
    "refuse": {},
    "add_fact": {**FACT, "valid_until": ""},
    "update": {"text": "More is known.", "severity": "info"},
    "end": {"text": ""},
    "read": {},
}


def _first(model: type[Model]) -> Model:
    """Return a row, made where the world has none."""
    found = model._default_manager.first()
    if found is None and model is SovereigntyFact:
        found = SovereigntyFact.objects.create(region=Region.objects.get(), **FACT)
    elif found is None and model is Announcement:
        found = Announcement.objects.create(kind="banner", title="Hello", starts_at=timezone.now())
    elif found is None and model is Mail:
        found = Mail.objects.create(recipient="jo@acme.example", state="kept", sealed=seal("Subject: x\n\nHello"))
    assert found is not None, model
    return found


@pytest.mark.parametrize("model", ACTED_ON)
def test_no_action_of_the_admin_site_takes_more_than_it_asks_for(world: World, model: type[Model]) -> None:
    client, row = world.whos["operator"].browser, _first(model)
    assert client is not None
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    written: set[str] = set()
    for act in admin.site._registry[model].actions or ():
        name = act.__name__  # type: ignore[union-attr]
        body = {"action": name, "_selected_action": str(row.pk), "reason": "because"}
        if name in ASKED_FOR:
            body |= {"_sent": "1", **ASKED_FOR[name]}
        plainly, stuffed = (
            ask(client, "POST", path, sent, look=rows) for sent in (body, {**_undeclared(set(body)), **body})
        )
        assert stuffed.status == plainly.status
        assert _more(plainly.seen, stuffed.seen) == {}
        written |= plainly.written
    assert written or model is Mail  # reading one is recorded, and the audit log is no account's


def test_every_body_is_closed_and_reached_and_names_its_fields() -> None:
    """A body or form that takes all fields of a model would take tomorrow's field as well."""
    bodies = {found.__name__ for found in _below(Strict) if _is_ours(found)}
    components = openapi()["components"]["schemas"]
    requests = {re.sub(r"^Patched|Request$", "", name): schema for name, schema in components.items()}
    assert bodies - requests.keys() == set()
    assert [name for name in bodies if requests[name].get("additionalProperties") is not False] == []
    ours = [*_below(serializers.BaseSerializer), *_below(BaseForm)]
    mine = [found for found in ours if _is_ours(found)]
    of_models = [found for found in mine if issubclass(found, serializers.ModelSerializer | BaseModelForm)]
    assert [found for found in of_models if not isinstance(found.Meta.fields, list | tuple)] == []


def _is_ours(found: type[Any]) -> bool:
    """Whether it is the portal's; other tests have some of their own."""
    return found.__module__.startswith(("portal.", "apps."))


def _below(top: type[Any]) -> Iterator[type[Any]]:
    for found in top.__subclasses__():
        yield found
        yield from _below(found)


def test_a_form_that_takes_what_it_does_not_show_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flaw put in on purpose: the view lays over the row whatever was sent."""

    def careless(actor: Any, resource: Resource, *, changes: Any) -> None:
        Resource.objects.filter(id=resource.id).update(failures=7, description=changes.description)

    about = "services/<service_id>/settings/<part>"
    assert _changed_unasked(world, about) == {}
    sent: list[bool] = []  # the second request is the stuffed one
    monkeypatch.setattr(
        "portal.resources.views.settings.actions.edit",
        lambda actor, resource, **fields: careless(actor, resource, **fields) if sent else sent.append(True),
    )
    assert "Resource" in _changed_unasked(world, about)


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
