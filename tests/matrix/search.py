"""The search for canaries: answers of console, API and admin, columns of all tables, log lines, task messages, mail."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import Client

from portal.core.logs import Line
from tests.matrix.asking import Answer, ask
from tests.matrix.routes import API, CONSOLE, body_of, filled
from tests.matrix.test_admin import PATHS
from tests.matrix.test_admin import filled as admin_filled
from tests.matrix.world import Who, World

REVEALING = ("reveal", "security/codes")  # what shows a secret, to who may see it
# What a column is for: a person's own row keeps the hash of their password, a session's row its key.
KEPT = {"accounts_user.password": "hash of the password", "django_session.session_key": "session key"}
KEPT["usersessions_usersession.session_key"] = "session key"
COLUMNS = "SELECT cell.key, cell.value FROM {table} AS row, jsonb_each_text(to_jsonb(row)) AS cell"
EVERYWHERE = re.compile("")
HTMX = {"HX-Request": "true"}


@dataclass
class Search:
    """Looks for canaries, named by where they sit, in every place that somebody reads or that is kept."""

    world: World
    canaries: dict[str, str]
    caplog: pytest.LogCaptureFixture
    sent: list[Any] = field(default_factory=list)  # messages to the broker

    def everywhere(self, names: Iterable[str] = ("owner",), where: re.Pattern[str] = EVERYWHERE) -> list[str]:
        """Return each leak as ``canary: where``. ``where`` limits the answers by their path."""
        return [*self.answers(names, where), *self.tables(), *self.elsewhere()]

    def found(self, text: str, at: str) -> list[str]:
        return [f"{place}: {at}" for place, canary in self.canaries.items() if canary in text]

    def answers(self, names: Iterable[str] = ("owner",), where: re.Pattern[str] = EVERYWHERE) -> list[str]:
        leaks = [leak for name in names for leak in self._of(self.world.whos[name], where)]
        operator = self.world.whos["operator"].browser
        for path in PATHS:
            if where.search(path):
                leaks += self._in_answer(
                    ask(operator or Client(), "GET", admin_filled(path)), f"GET {path} as operator"
                )
        return leaks

    def _of(self, who: Who, where: re.Pattern[str]) -> list[str]:
        leaks, own = [], self.world.own()
        for path, route in {**CONSOLE, **API}.items():
            if path.endswith(REVEALING) or not where.search(path):
                continue
            client = (who.api if path.startswith("api/") else who.browser) or Client()
            for verb, rule in route.rules.items():
                for headers in ({}, HTMX) if who.name == "owner" and client is who.browser else ({},):
                    answer = ask(client, verb, filled(path, route, own), body_of(rule, own), headers)
                    leaks += self._in_answer(answer, f"{verb} {path} as {who.name}")
        return leaks

    def _in_answer(self, answer: Answer, at: str) -> list[str]:
        return self.found(f"{answer.body} {answer.headers}", at)

    def tables(self) -> list[str]:
        """Look into every column of every table, whether a model knows it or not."""
        leaks = []
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
            for (table,) in cursor.fetchall():
                cursor.execute(COLUMNS.format(table=connection.ops.quote_name(table)))
                for column, value in cursor.fetchall():
                    name = f"{table}.{column}"
                    leaks += [leak for leak in self.found(value or "", name) if leak != f"{KEPT.get(name)}: {name}"]
        return sorted(set(leaks))

    def elsewhere(self) -> list[str]:
        """Look into log lines as the portal writes them, messages to the broker, and mail."""
        texts = [*(("log", line) for line in self.lines()), *(("task", str(message)) for message in self.sent)]
        texts += [("mail", f"{message.message()} {message.body}") for message in mail.outbox]
        return [leak for at, text in texts for leak in self.found(text, at)]

    def lines(self) -> list[str]:
        given = settings.LOGGING["formatters"]["line"]
        formatter = Line(given["format"], style=given["style"])
        return [_formatted(formatter, record) for record in self.caplog.records]


def _formatted(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    record.exc_text = None  # another formatter may have left its own
    return formatter.format(record)
