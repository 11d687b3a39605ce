"""Canary values in every place that holds a secret and in every backend error: found nowhere that anybody reads."""

import datetime
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from gunicorn.config import Config

from portal.accounts import token_format
from portal.accounts.actors import actor_for
from portal.accounts.models import ApiToken, SignInLink, digest
from portal.clusters.backends.base import LogLine
from portal.clusters.backends.local.supervisor import logs
from portal.core.errors import PermanentError, TemporaryError
from portal.core.logs import without_keys
from portal.instance.access_log import AccessLog
from portal.resources import actions, engine, tasks
from portal.resources.models import Child, Resource
from tests.matrix.asking import ask
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.test_admin import PATHS
from tests.matrix.test_admin import filled as admin_filled
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
REVEALING = ("reveal",)  # the one act that shows a secret, to who may see it
SEES_ALL = ("owner", "viewer", "operator")
ERRORS = (
    (RuntimeError, "an unexpected error"),
    (KeyError, "a missing key"),
    (OSError, "what the system said"),
)


@pytest.fixture
def canaries(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Where each canary sits and what it is."""
    monkeypatch.setattr(logging.getLogger("django.request"), "level", logging.INFO)
    owner = world.people["owner"]
    with transaction.atomic():
        token, link = token_format.new_token(), "canary-sign-in-link-0123456789abcdef"
        ApiToken.objects.create(user=owner, name="ci", hint=token_format.hint(token), digest=digest(token))
        later = timezone.now() + datetime.timedelta(minutes=10)
        SignInLink.objects.create(user=owner, digest=digest(link), expires_at=later)
        owner.set_password("canary-password-of-a-person")
        owner.save()
        browser = world.whos["owner"].browser
        assert browser is not None
        browser.force_login(owner)
        monkeypatch.setattr(settings, "SECRET_KEY_FALLBACKS", ["canary-old-secret-key-0123456789"])
        monkeypatch.setitem(connections["default"].settings_dict, "PASSWORD", "canary-database-password")
        yield {
            **{f"secret of {row.name}": _password(world, row) for row in (world.mine, world.sibling, world.foreign)},
            "api token": token,
            "sign-in link": link,
            "password": "canary-password-of-a-person",
            "hash of the password": owner.password,
            "SECRET_KEY": settings.SECRET_KEY,
            "old SECRET_KEY": "canary-old-secret-key-0123456789",
            "database password": "canary-database-password",
            "backend error": "canary-in-an-error",
        }
        transaction.set_rollback(True)


def _password(world: World, row: Resource) -> str:
    return next(iter(world.backend.secrets[row.handle].values()))["password"]


def found(canaries: dict[str, str], text: str) -> list[str]:
    return [place for place, canary in canaries.items() if canary in text]


def walk(world: World, canaries: dict[str, str], names: tuple[str, ...] = ("owner",)) -> list[str]:
    """Return every answer of console, API and admin site that holds a canary, and of whom."""
    leaks, own = [], world.own()
    for name in names:
        who = world.whos[name]
        for path, route in {**CONSOLE, **API}.items():
            client = who.api if path.startswith("api/") else who.browser
            for verb, rule in route.rules.items():
                if not path.endswith(REVEALING):
                    answer = ask(client or Client(), verb, filled(path, route, own), body_of(rule, own))
                    at = f"{verb} {path} as {name}"
                    leaks += [f"{place}: {at}" for place in found(canaries, f"{answer.body} {answer.headers}")]
    operator = world.whos["operator"].browser
    for path in PATHS:
        answer = ask(operator or Client(), "GET", admin_filled(path))
        leaks += [f"{place}: GET {path}" for place in found(canaries, answer.body)]
    return leaks


def tables(canaries: dict[str, str]) -> list[str]:
    """Return every column of every table that holds a canary. A person's own row keeps the hash of their password."""
    leaks = []
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.managed or model._meta.proxy or model is Session:
            continue
        for row in model._default_manager.values():
            for column, value in row.items():
                kept = {"hash of the password"} if column == "password" else set()
                leaks += [
                    f"{place}: {model.__name__}.{column}" for place in found(canaries, str(value)) if place not in kept
                ]
    return leaks


def test_no_answer_row_or_log_line_holds_a_secret(
    world: World, canaries: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert walk(world, canaries, SEES_ALL) == []
    assert tables(canaries) == []
    assert found(canaries, caplog.text) == []


def test_a_revealed_secret_is_in_its_answer_and_nowhere_else(
    world: World, canaries: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    who, own = world.whos["developer"], world.own()
    path = f"/api/v1/services/{own['service']}/credentials/{own['credential']}/reveal"
    answer = ask(who.api, "POST", path, headers={"Idempotency-Key": "once-1"}, look=lambda: tables(canaries))
    assert _password(world, world.mine) in answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.seen, found(canaries, caplog.text)) == ([], [])


@pytest.mark.parametrize(("kind", "what"), ERRORS)
def test_an_unexpected_error_of_a_backend_tells_nobody_what_it_says(
    world: World, canaries: dict[str, str], monkeypatch: pytest.MonkeyPatch, kind: type[Exception], what: str
) -> None:
    monkeypatch.setattr(world.backend, "error", kind(f"{what}: canary-in-an-error"))
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)  # a trace is the log's to keep
    Resource.objects.filter(id=world.mine.id).update(next_reconcile_at=timezone.now(), lease_until=None)
    engine.reconcile(world.mine.id)
    assert Resource.objects.get(id=world.mine.id).failures == 1
    assert walk(world, canaries) == []
    assert tables(canaries) == []


@pytest.mark.parametrize("kind", [TemporaryError, PermanentError])
def test_what_a_backend_says_on_purpose_reaches_the_customer(
    world: World, canaries: dict[str, str], monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """By contract it is a safe sentence; that it is seen shows that the search of the other tests looks there."""
    monkeypatch.setattr(world.backend, "error", kind("canary-in-an-error"))
    Resource.objects.filter(id=world.mine.id).update(next_reconcile_at=timezone.now(), lease_until=None)
    engine.reconcile(world.mine.id)
    assert {line.partition(":")[0] for line in tables(canaries)} == {"backend error"}


def test_a_task_gets_ids_and_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tasks.reconcile, "apply_async", lambda arguments, **options: sent.append(arguments))
    monkeypatch.setattr(tasks, "enqueue", _real_enqueue)
    tasks.sweep_due()
    tasks.enqueue(world.mine.id)
    assert sent
    assert {len(arguments) for arguments in sent} == {1}
    assert all(len(str(arguments[0])) == 36 for arguments in sent)


_real_enqueue: Callable[..., None] = tasks.enqueue


def test_a_sign_in_link_is_in_no_log_line(
    world: World, canaries: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    link = canaries["sign-in link"]
    strict = Client(enforce_csrf_checks=True)
    for verb in ("get", "post", "put", "delete"):
        assert getattr(strict, verb)(f"/sign-in/{link}").status_code in (200, 403, 405)
    strict.get("/sign-in/canary-sign-in-link-0123456789abcdef/more")
    assert caplog.records
    assert [record.getMessage() for record in caplog.records if link in record.getMessage()] == []


def test_the_access_log_of_the_web_processes_holds_no_key() -> None:
    line = 'GET /sign-in/canary-link HTTP/1.1 "http://127.0.0.1/download/canary:link" /services/svc_1/download'
    assert without_keys(line) == ('GET /sign-in/*** HTTP/1.1 "http://127.0.0.1/download/***" /services/svc_1/download')
    answer, asked = SimpleNamespace(status="200 OK", headers=[], sent=2), SimpleNamespace(headers=[])
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": "/sign-in/canary-link", "SERVER_PROTOCOL": "HTTP/1.1"}
    environ |= {"PATH_INFO": "/sign-in/canary-link", "HTTP_REFERER": "http://127.0.0.1/sign-in/canary-link"}
    atoms = AccessLog(Config()).atoms(answer, asked, environ, datetime.timedelta(0))
    assert "GET /sign-in/***" in str(atoms["r"])
    assert "canary" not in str(atoms)


@pytest.mark.parametrize("text", ["FATAL: STATEMENT: ALTER ROLE a PASSWORD '{}'", "x" * 290 + "{}"])
def test_the_last_words_of_an_engine_hold_no_secret(tmp_path: Any, text: str) -> None:
    secret = "canaryOfAnEngine0123456789"
    (tmp_path / "engine.log").write_text(f"start\n{text.format(secret)}\n")
    said = logs.last_line(tmp_path, {"user": {"password": secret}})
    assert said
    assert secret[:8] not in said


def test_a_planted_leak_is_found_by_the_same_search(
    world: World, canaries: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = _password(world, world.mine)
    line = LogLine(timezone.now(), "engine", f"password={secret}")
    monkeypatch.setattr(world.backend, "logs", lambda handle, **asked: [line])
    leaks = walk(world, canaries)
    assert {leak.partition(": ")[2].split(" ")[1] for leak in leaks} == {
        "services/<service_id>/logs", "services/<service_id>/logs.txt", "api/v1/services/<service>/logs",
    }  # fmt: skip
    Child.objects.filter(resource=world.mine, kind="users").update(facts={"password": secret})
    assert tables(canaries) == ["secret of box: Child.facts"]


def test_rotation_leaves_no_secret_in_rows_or_audit(world: World, canaries: dict[str, str]) -> None:
    login = world.mine.children.get(kind="users")
    login.resource = world.mine
    with transaction.atomic():
        actions.rotate_credential(actor_for(world.people["owner"]), login)
        engine.reconcile(world.mine.id)
        made = {value for group in world.backend.secrets[world.mine.handle].values() for value in group.values()}
        assert len(made) == 2
        assert tables({**canaries, **{f"made {number}": value for number, value in enumerate(made)}}) == []
        transaction.set_rollback(True)
