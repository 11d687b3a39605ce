"""Web processes as the product starts them, each on a database of its own beside a running portal's."""

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from portal.bootstrap.paths import run_directory
from portal.instance import commands
from tests.journeys.instance import MANAGE, ROOT, Instance, eventually
from tests.ports import free_port


@dataclass(slots=True)
class Answer:
    """One answer: how long it took to its last byte, and how many queries the portal says it made."""

    seconds: float
    status: int
    queries: int
    body: bytes


@dataclass(slots=True)
class Site:
    """One web process and the client that asks it, over one kept connection."""

    port: int
    keys: dict[str, str] = field(default_factory=dict)
    _line: http.client.HTTPConnection | None = None

    def ask(self, path: str, **headers: str) -> Answer:
        """Ask once, signed in: by session for pages, by token for the API."""
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        began = time.perf_counter()
        self._line.request("GET", path, headers={**self._who(path), **headers})
        answer = self._line.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return Answer(took, answer.status, int(answer.headers.get("X-Queries") or 0), body)

    def _who(self, path: str) -> dict[str, str]:
        if path.startswith("/api/"):
            return {"Authorization": f"Bearer {self.keys['token']}"}
        return {"Cookie": f"sessionid={self.keys['session']}", "Accept-Encoding": "gzip"} if self.keys else {}

    def answers(self) -> bool:
        try:
            return self.ask("/healthz").status < 500
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return False

    def hang_up(self) -> None:
        """Close the kept connection."""
        if self._line is not None:
            self._line.close()
        self._line = None


def make_database(instance: Instance, name: str) -> None:
    """Make an empty database with all tables on the portal's own server."""
    with psycopg.connect(_server(instance), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    environment = environment_of(instance, name)
    subprocess.run([*MANAGE, "migrate", "--verbosity", "0"], env=environment, check=True, cwd=ROOT)


def filled(instance: Instance, name: str, size: int) -> dict[str, str]:
    """Make a database with ``size`` services; return what ``crowd.py`` says of it."""
    make_database(instance, name)
    words = [sys.executable, "-m", "tests.bench.crowd", str(size)]
    done = subprocess.run(
        words, env=environment_of(instance, name), check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    keys: dict[str, str] = json.loads(done.stdout)
    return keys


@contextmanager
def served(
    instance: Instance, database: str, keys: dict[str, str], settings: str = "tests.bench.site", **more: str
) -> Iterator[Site]:
    """Serve a database by one web process with the product's command; ``more`` goes into its environment."""
    port = free_port()
    environment = {**environment_of(instance, database), "DJANGO_SETTINGS_MODULE": settings, **more}
    log = instance.data.parent / f"{database}-{settings}.log"
    with log.open("wb") as output:
        command = [*commands.web(port), "--workers", "1"]
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
    site = Site(port, keys)
    try:
        eventually(site.answers, within=60, what=f"see {log}")
        yield site
    finally:
        site.hang_up()
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def environment_of(instance: Instance, database: str) -> dict[str, str]:
    """Return the environment of a process of the portal that works on another of its databases."""
    more = {"DJANGO_SETTINGS_MODULE": "tests.bench.site", "BENCH_DATABASE": database, "PYTHONPATH": str(ROOT)}
    return {**instance.environment(), **more}


def _server(instance: Instance) -> Any:
    return f"host={run_directory(instance.data)} user=archipel dbname=archipel"


def rounds(default: int) -> int:
    """Return how often to ask: ``BENCH_ROUNDS``, or what the benchmark thinks right."""
    return int(os.environ.get("BENCH_ROUNDS", default))
