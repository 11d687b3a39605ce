"""Asks with a raw body and tells what the answer left behind: rows by table, audit rows, wishes to the backend."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models.expressions import RawSQL
from django.http import HttpResponse

from tests.matrix.asking import Asker
from tests.matrix.world import World

COUNTS = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
PROBLEM = "application/problem+json"
# Touched by its own middleware; when and from where it was last used is noted with whatever page comes first.
SESSION = frozenset({"django_session", "usersessions_usersession"})


@dataclass(frozen=True)
class Left:
    """An answer, and what was written: tables, wishes, and every text that a changed table holds now."""

    status: int
    body: str
    headers: Mapping[str, str]
    written: frozenset[str]
    wishes: int
    texts: frozenset[str]

    @property
    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def touched(self) -> frozenset[str]:
        return self.written | ({"a wish"} if self.wishes else frozenset())


def send(
    world: World,
    client: Asker,
    verb: str,
    path: str,
    data: Any = b"",
    kind: str | None = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Left:
    """Ask once in a savepoint that is rolled back, and see before that what would stay."""
    with transaction.atomic():
        before, applied, cookies = _counts(), world.backend.applied, client.cookies.output()
        response = _ask(client, verb, path, data, kind, dict(headers or {}))
        content = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
        written = frozenset(name for name, count in _counts().items() if count != before.get(name, 0)) - SESSION
        left = Left(
            response.status_code,
            content.decode(errors="replace"),
            dict(response.items()),
            written,
            world.backend.applied - applied,
            frozenset(_texts(written)) if response.status_code < 400 else frozenset(),
        )
        transaction.set_rollback(True)
    if client.cookies.output() != cookies and "sessionid" in response.cookies:  # signed out: stay who you were
        client.cookies.load(cookies.replace("Set-Cookie: ", ""))
    return left


def _ask(client: Asker, verb: str, path: str, data: Any, kind: str | None, headers: dict[str, str]) -> HttpResponse:
    """Send bytes as they are with a content type, or a form where there is none."""
    if kind is not None:
        return client.generic(verb, path, data, content_type=kind, headers=headers)  # type: ignore[return-value]
    found: HttpResponse = getattr(client, verb.lower())(path, data, headers=headers)
    return found


def _counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return dict(cursor.fetchall())


def _texts(tables: frozenset[str]) -> set[str]:
    """Return every text, keys of JSON included, in the rows of these tables that were written last, old ones too."""
    found: set[str] = set()
    for model in apps.get_models():
        if model._meta.db_table in tables:
            written_last = RawSQL(f'age("{model._meta.db_table}".xmin)', ())  # noqa: S611 - a table's name of ours
            for row in model._default_manager.order_by(written_last, "-pk")[:6].values():
                _gather(row, found)
    return found


def _gather(value: Any, found: set[str]) -> None:
    if isinstance(value, str):
        found.add(value)
    elif isinstance(value, int):
        found.add(f"number {value}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            found.add(key)
            _gather(inner, found)
    elif isinstance(value, list | tuple):
        for inner in value:
            _gather(inner, found)
