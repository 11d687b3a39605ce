"""Asks a portal as somebody and undoes what the answer did: status, body, headers, and which tables were written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client

COUNTS = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
# A denied try is recorded; a session is touched by its own middleware, and when it was last used is noted.
OF_NO_ACCOUNT = frozenset({"audit_auditevent", "django_session", "usersessions_usersession"})


class Asker(Client):
    """Django's test client without its copies of every template's context, which take longer than the answer."""

    def request(self, **request: Any) -> Any:
        response = self.handler(self._base_environ(**request))
        self.cookies.update(response.cookies)
        return response


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]
    written: frozenset[str]  # names of tables
    seen: Any = None  # what ``look`` saw before all was undone

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")


def ask(
    client: Client,
    verb: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    look: Callable[[], Any] = lambda: None,
) -> Answer:
    """Ask once, in a savepoint that is rolled back whatever the answer is."""
    with transaction.atomic():
        before = _counts()
        response = _send(client, verb, path, body, headers or {})
        written = {name for name, count in _counts().items() if count != before.get(name, 0)}
        content = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
        seen = look()
        transaction.set_rollback(True)
    text = content.decode(errors="replace")
    return Answer(response.status_code, text, dict(response.items()), frozenset(written - OF_NO_ACCOUNT), seen)


def _send(
    client: Client, verb: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
) -> HttpResponse:
    cookies = client.cookies.output()
    options: dict[str, Any] = {"headers": {"X-Request-Id": "one-request", **headers}}
    if verb in ("POST", "PUT", "PATCH", "DELETE"):
        if path.startswith("/api/"):
            options |= {"data": json.dumps(body or {}), "content_type": "application/json"}
        elif verb == "POST":
            options["data"] = dict(body or {})
    response: HttpResponse = getattr(client, verb.lower())(path, **options)
    if client.cookies.output() != cookies and "sessionid" in response.cookies:  # signed out: stay who you were
        client.cookies.load(cookies.replace("Set-Cookie: ", ""))
    return response


def _counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return dict(cursor.fetchall())
