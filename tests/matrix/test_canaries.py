"""Canary values in every place that holds a secret and in every backend error: found nowhere that anybody reads."""

import datetime
import logging
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone
from gunicorn.config import Config
from kombu import Producer

from portal.accounts import token_format
from portal.accounts.actors import actor_for
from portal.accounts.models import ApiToken, SignInLink, User, digest
from portal.audit.models import AuditEvent
from portal.clusters.backends.base import LogLine
from portal.clusters.backends.kubernetes import kubeconfig
from portal.clusters.backends.kubernetes.kubeconfig import Access
from portal.clusters.backends.local import render
from portal.clusters.backends.local.supervisor import commands, logs
from portal.clusters.models import Cluster
from portal.core.errors import PermanentError, TemporaryError
from portal.core.logs import without_keys
from portal.core.vault import seal
from portal.instance.access_log import AccessLog
from portal.notify.models import Mail
from portal.projects import inviting
from portal.resources import actions, engine, tasks
from portal.resources.models import Child, Operation, Resource
from tests.accounts.ways import enroll
from tests.fixtures import sign_in
from tests.matrix.asking import Asker, ask
from tests.matrix.search import Search
from tests.matrix.told import SECRET_OF_WEBHOOK
from tests.matrix.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lasting_proof")]
SEES_ALL = ("owner", "viewer", "operator")
UNEXPECTED = (KeyError, OSError, UnicodeError)
IN_AN_ERROR = "canary-in-an-error"  # by name: a trace shows the line that raises
DRIVEN = ("ensure_secrets", "apply", "read", "delete")  # what a turn calls
GOING = ("delete",)
READ = {  # what a request may call, and where
    "reveal": "reveal",
    "logs": "logs",
    "metrics": "metrics",
    "artifact": "/download$",
    "ca_pem": r"ca\.pem|/ca$",
}
OF_STATE = re.compile(
    r"^$|^services$|services/<service_id>$|header|activity|^api/v1/services|operations|admin/resources"
)


@pytest.fixture
def canaries(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Where each canary sits and what it is."""
    monkeypatch.setattr(logging.getLogger("django.request"), "level", logging.INFO)
    owner = world.people["owner"]
    with transaction.atomic():
        token, link = token_format.new_token(), "canary-sign-in-link-0123456789abcdef"
        ApiToken.objects.create(user=owner, name="ci", hint=token_format.hint(token), digest=digest(token))
        of_machine, robot = token_format.new_token(), User.objects.get(machine_of=world.project.organization_id)
        ApiToken.objects.create(user=robot, name="ci", hint=token_format.hint(of_machine), digest=digest(of_machine))
        later = timezone.now() + datetime.timedelta(minutes=10)
        SignInLink.objects.create(user=owner, digest=digest(link), expires_at=later)
        acme = world.project.organization
        invited = inviting.invite(actor_for(owner), organization=acme, email="canary@acme.example", role="member")
        mail.outbox.clear()  # which is where the link belongs
        owner.set_password("canary-password-of-a-person")
        owner.save()
        browser = world.whos["owner"].browser
        assert browser is not None
        sign_in(browser, owner)
        app_secret = "CANARYAPPSECRET234567CANARYAPPSE"
        recovery = enroll(owner, app_secret)[0]
        provider = {"provider_id": "corp", "name": "Corp", "client_id": "x", "secret": "canary-client-secret"}
        apps = [{**provider, "settings": {"server_url": "https://id.corp.example", "domains": ["corp.example"]}}]
        monkeypatch.setattr(settings, "SOCIALACCOUNT_PROVIDERS", {"openid_connect": {"APPS": apps}})
        monkeypatch.setattr(settings, "SECRET_KEY_FALLBACKS", ["canary-old-secret-key-0123456789"])
        monkeypatch.setitem(connections["default"].settings_dict, "PASSWORD", "canary-database-password")
        kept = seal("To: owner@acme.example\n\nCome in: https://portal.example/canary-link-in-a-kept-mail")
        Mail.objects.create(recipient=owner.email, subject="Come in", state="kept", sealed=kept)
        config = kubeconfig.written(Access("https://10.0.0.1:6443", token="canary-token-of-a-kubeconfig"))
        far = {"name": "far", "kind": "kubernetes", "enabled": False, "kubeconfig": seal(config)}
        Cluster.objects.create(region=world.mine.region, **far)
        yield {
            **{f"secret of {row.name}": _password(world, row) for row in (world.mine, world.sibling, world.foreign)},
            "api token": token,
            "token of a service account": of_machine,
            "sign-in link": link,
            "invitation": invited.link.rpartition("/")[2],
            "secret of a webhook": SECRET_OF_WEBHOOK,
            "token of a kubeconfig": "canary-token-of-a-kubeconfig",
            "mail in the outbox": "canary-link-in-a-kept-mail",
            "secret of a code app": app_secret,
            "recovery code": recovery,
            "client secret of a provider": "canary-client-secret",
            "password": "canary-password-of-a-person",
            "hash of the password": owner.password,
            "SECRET_KEY": settings.SECRET_KEY,
            "old SECRET_KEY": "canary-old-secret-key-0123456789",
            "database password": "canary-database-password",
            "backend error": IN_AN_ERROR,
            "session key": browser.session.session_key,
            "CSRF secret": _csrf_secret(browser),
        }
        transaction.set_rollback(True)


def _csrf_secret(browser: Asker) -> str:
    """Return what a browser's forms are checked against; what stands in them is another each time."""
    ask(browser, "GET", "/account/tokens")
    return browser.cookies["csrftoken"].value


def _password(world: World, row: Resource) -> str:
    return next(iter(world.backend.secrets[row.handle].values()))["password"]


@pytest.fixture
def search(
    world: World, canaries: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Search:
    """The search, with all that is said at any level, and with what is sent to the broker kept from it."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("faker").setLevel(logging.WARNING)
    found = Search(world, canaries, caplog)
    monkeypatch.setattr(Producer, "publish", lambda self, body, **options: found.sent.append((body, options)))
    monkeypatch.setattr(tasks, "enqueue", _real_enqueue)
    return found


_real_enqueue: Callable[..., None] = tasks.enqueue


def test_no_answer_row_log_line_or_task_holds_a_secret(search: Search) -> None:
    tasks.sweep_due()
    tasks.enqueue(search.world.mine.id)
    assert search.everywhere(SEES_ALL) == []
    assert search.sent
    assert search.lines()


def test_a_revealed_secret_is_in_its_answer_and_nowhere_else(search: Search) -> None:
    world = search.world
    who, own = world.whos["developer"], world.own()
    at = f"services/{own['service']}", f"{own['credential']}/reveal"
    for client, path in ((who.api, f"/api/v1/{at[0]}/credentials/{at[1]}"), (who.browser, f"/{at[0]}/connect/{at[1]}")):
        assert client is not None
        answer = ask(client, "POST", path, headers={"Idempotency-Key": "once-1"}, look=search.tables)
        assert _password(world, world.mine) in answer.body
        assert answer.headers["Cache-Control"] == "no-store"
        assert (answer.seen, search.elsewhere()) == ([], [])


@pytest.mark.parametrize(
    ("method", "kind"), [*((method, RuntimeError) for method in DRIVEN), *(("read", kind) for kind in UNEXPECTED)]
)
def test_an_unexpected_error_of_a_turn_tells_nobody_what_it_says(
    search: Search, monkeypatch: pytest.MonkeyPatch, method: str, kind: type[Exception]
) -> None:
    row = search.world.mine
    monkeypatch.setattr(search.world.backend, method, _raising(kind))
    going = {"deletion_requested_at": timezone.now(), "deletion_policy": "wipe"} if method in GOING else {}
    Resource.objects.filter(id=row.id).update(next_reconcile_at=timezone.now(), lease_until=None, **going)
    engine.reconcile(row.id)
    assert Resource.objects.get(id=row.id).failures == 1
    assert [record for record in search.caplog.records if record.exc_info]
    assert search.everywhere(where=OF_STATE) == []


@pytest.mark.parametrize(
    ("method", "kind"), [*((method, RuntimeError) for method in READ), *(("logs", kind) for kind in UNEXPECTED)]
)
def test_an_unexpected_error_of_a_read_tells_nobody_what_it_says(
    search: Search, monkeypatch: pytest.MonkeyPatch, method: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr(search.world.backend, method, _raising(kind))
    monkeypatch.setattr("tests.matrix.search.REVEALING", ("nothing",))
    assert search.everywhere(where=re.compile(READ[method])) == []
    assert [record for record in search.caplog.records if record.exc_info]  # it was asked, and broke


def _raising(kind: type[Exception]) -> Callable[..., Any]:
    def broken(*args: Any, **options: Any) -> Any:
        raise kind(IN_AN_ERROR) from ValueError(IN_AN_ERROR)

    return broken


@pytest.mark.parametrize("kind", [TemporaryError, PermanentError])
def test_what_a_backend_says_on_purpose_reaches_the_customer(
    search: Search, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """By contract it is a safe sentence; that it is seen shows that the search of the other tests looks there."""
    monkeypatch.setattr(search.world.backend, "error", kind(IN_AN_ERROR))
    Resource.objects.filter(id=search.world.mine.id).update(next_reconcile_at=timezone.now(), lease_until=None)
    engine.reconcile(search.world.mine.id)
    assert {line.partition(":")[0] for line in search.tables()} == {"backend error"}
    assert {line.partition(":")[0] for line in search.answers(where=OF_STATE)} == {"backend error"}


def test_a_task_gets_ids_and_nothing_else(search: Search) -> None:
    tasks.sweep_due()
    tasks.enqueue(search.world.mine.id)
    arguments = [body[0] for body, _options in search.sent]
    assert arguments
    assert {len(given) for given in arguments} == {1}
    assert all(len(str(given[0])) == 36 for given in arguments)
    assert {str(body[1]) for body, _options in search.sent} == {"{}"}


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
    behind = "GET /sign-in?next=%2Finvitations%2Fcanary-key&a=1 HTTP/1.1 http://127.0.0.1/invitations/canary-key"
    assert (
        without_keys(behind) == "GET /sign-in?next=%2Finvitations%2F***&a=1 HTTP/1.1 http://127.0.0.1/invitations/***"
    )
    token = token_format.new_token()
    assert without_keys(f"GET /api/v1/me?access_token={token}&a=1") == f"GET /api/v1/me?access_token={token[:8]}***&a=1"
    answer, asked = SimpleNamespace(status="200 OK", headers=[], sent=2), SimpleNamespace(headers=[])
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": "/sign-in/canary-link", "SERVER_PROTOCOL": "HTTP/1.1"}
    environ |= {"PATH_INFO": "/sign-in/canary-link", "HTTP_REFERER": "http://127.0.0.1/sign-in/canary-link"}
    atoms = AccessLog(Config()).atoms(answer, asked, environ, datetime.timedelta(0))
    assert "GET /sign-in/***" in str(atoms["r"])
    assert "canary" not in str(atoms)


@pytest.mark.parametrize(
    "text",
    [
        "FATAL: STATEMENT: ALTER ROLE a PASSWORD '{}'",
        "x" * 290 + "{}",
        "users.acl:4: Error in applying operation '>{}'. WARNING: Server is not started because of errors in ACL.",
        ">>> 'primaryauth {}'",
        "-WRONGPASS Unable to AUTH to PRIMARY: 'AUTH replication {}'",
    ],
)
def test_the_last_words_of_an_engine_hold_no_secret(tmp_path: Any, text: str) -> None:
    secret = "canaryOfAnEngine0123456789"
    (tmp_path / "engine.log").write_text(f"start\n{text.format(secret)}\n")
    said = logs.last_line(tmp_path, {"user": {"password": secret}})
    assert said
    assert secret[:8] not in said


def _of_log(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    line = LogLine(timezone.now(), "engine", f"password={secret}")
    patch.setattr(world.backend, "logs", lambda handle, **asked: [line])


def _of_column(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    Child.objects.filter(resource=world.mine, kind="users").update(facts={"deep": [{"password": secret}]})


def _of_audit(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    place = {"organization_id": world.project.organization_id, "project_id": world.project.id}
    AuditEvent.objects.create(actor_kind="system", action="service.edit", changes={"spec": [None, secret]}, **place)


def _of_table(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE of_nobody (note text)")
        cursor.execute("INSERT INTO of_nobody VALUES (%s)", [f"so: {secret}"])


def _of_line(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    logging.getLogger("portal.resources").debug("made %s", secret)


def _of_safe_error(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    try:
        raise TemporaryError(f"no answer to {secret}")
    except TemporaryError:
        logging.getLogger("portal.resources").exception("it broke")


def _of_task(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    tasks.wake.apply_async((secret,))


def _of_header(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    patch.setattr("portal.core.csp.policy", lambda: f"default-src {secret}")


def _of_error_page(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    def broken() -> str:
        raise TemporaryError(f"no answer to {secret}")

    patch.setattr(world.backend, "ca_pem", broken)


def _of_admin(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    Operation.objects.update(message=secret)


def _of_mail(world: World, patch: pytest.MonkeyPatch, secret: str) -> None:
    mail.send_mail("Welcome", f"Your password is {secret}", "portal@example.org", ["owner@acme.example"])


Plant = Callable[[World, pytest.MonkeyPatch, str], None]
PLANTED: dict[str, tuple[Plant, str, set[str]]] = {
    "log of an engine": (
        _of_log,
        "logs",
        {
            "GET services/<service_id>/logs as owner",
            "GET services/<service_id>/logs.txt as owner",
            "GET api/v1/services/<service>/logs as owner",
        },
    ),
    "column": (_of_column, "nowhere", {"resources_child.facts"}),
    "audit row": (_of_audit, "^audit$|v1/audit", {"audit_auditevent.changes", "GET audit as owner"}),
    "table that no model knows": (_of_table, "nowhere", {"of_nobody.note"}),
    "log line": (_of_line, "nowhere", {"log"}),
    "error in a log": (_of_safe_error, "nowhere", {"log"}),
    "task": (_of_task, "nowhere", {"task"}),
    "header": (_of_header, "^healthz$", {"GET healthz as owner"}),
    "error page": (_of_error_page, "ca.pem|/ca$", {"GET services/<service_id>/ca.pem as owner"}),
    "admin site": (
        _of_admin,
        "^admin/resources/operation/<object_id>/change/$",
        {"resources_operation.message", "GET admin/resources/operation/<object_id>/change/ as operator"},
    ),
    "mail": (_of_mail, "nowhere", {"mail"}),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_leak_is_found_by_the_same_search(
    search: Search, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    plant, where, expected = PLANTED[planted]
    pattern = re.compile(where)
    assert search.everywhere(where=pattern) == []
    search.caplog.clear()
    plant(search.world, monkeypatch, _password(search.world, search.world.mine))
    leaks = search.everywhere(where=pattern)
    assert {leak.partition(": ")[0] for leak in leaks} == {"secret of box"}
    assert {leak.partition(": ")[2] for leak in leaks} >= expected


@pytest.mark.parametrize("at", range(0, 24, 3))
def test_a_secret_at_the_border_of_what_is_kept_of_an_output_leaves_no_half(at: int) -> None:
    secret = "canaryAtTheBorder0123456"
    secrets = {"user": {"password": secret}}
    for border, after in ((commands.KEEP_HEAD, 100_000), (90_000, commands.KEEP_TAIL)):
        capture = commands._Capture(-1)
        written = b"x" * (border - at) + secret.encode() + b"x" * (after - len(secret) + at)
        for start in range(0, len(written), 65536):
            capture._keep(written[start : start + 65536])
        said = render.mask_cut(capture.text(), secrets, commands.CUT)
        halves = {secret[:n] for n in range(4, 25)} | {secret[-n:] for n in range(4, 25)}
        assert capture.cut
        assert [half for half in halves if half in said] == []


def test_rotation_leaves_no_secret_in_rows_or_audit(search: Search) -> None:
    world = search.world
    login = world.mine.children.get(kind="users")
    login.resource = world.mine
    with transaction.atomic():
        actions.rotate_credential(actor_for(world.people["owner"]), login)
        engine.reconcile(world.mine.id)
        made = {value for group in world.backend.secrets[world.mine.handle].values() for value in group.values()}
        assert len(made) == 2
        search.canaries |= {f"made {number}": value for number, value in enumerate(made)}
        assert search.everywhere(where=OF_STATE) == []
        transaction.set_rollback(True)
