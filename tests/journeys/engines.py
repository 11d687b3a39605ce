"""The offerings that have real clients here, so that one script can lead each of them through its life."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import redis


@dataclass(frozen=True)
class Login:
    """What a customer was shown."""

    uri: str
    ca_pem: str

    @contextmanager
    def authority(self) -> Iterator[str]:
        """Give the certificate that verifies the server as a file, as clients want it."""
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(self.ca_pem)
            file.flush()
            yield file.name

    @property
    def address(self) -> tuple[str | None, int | None]:
        parts = urlsplit(self.uri)
        return parts.hostname, parts.port

    @property
    def password(self) -> str | None:
        return urlsplit(self.uri).password


class Engine(Protocol):
    """One offering, and what its client does with an issued login, over verified TLS."""

    slug: str
    plans: tuple[str, str]  # to begin with, and to resize to
    releases: tuple[str, str]  # to begin with, and to upgrade to
    setting: dict[str, object]  # a change of the spec ...
    seen: object  # ... and what ``ask`` answers then

    def fill(self, login: Login) -> None: ...
    def rows(self, login: Login) -> list[Any]: ...
    def lose(self, login: Login) -> None: ...
    def ask(self, login: Login) -> object: ...
    def release(self, login: Login) -> str: ...
    def may_write(self, login: Login) -> bool: ...
    def may_come_in(self, login: Login) -> bool: ...


class PostgreSQL:
    slug = "postgresql"
    plans = ("dev-2", "standard-4")
    releases = ("16.13", "16.14")
    setting = {"statement_timeout_ms": 12_000}
    seen = "12s"

    @contextmanager
    def _connected(self, login: Login) -> Iterator[psycopg.Connection[Any]]:
        assert "sslmode=verify-full" in login.uri
        with login.authority() as file:
            with psycopg.connect(login.uri, sslrootcert=file, connect_timeout=10) as connection:
                assert connection.pgconn.ssl_in_use
                yield connection

    def fill(self, login: Login) -> None:
        with self._connected(login) as connection:
            connection.execute("create table words (id int primary key, word text)")
            connection.execute("insert into words select n, md5(n::text) from generate_series(1, 1000) n")

    def rows(self, login: Login) -> list[Any]:
        with self._connected(login) as connection:
            return connection.execute("select id, word from words order by id").fetchall()

    def lose(self, login: Login) -> None:
        with self._connected(login) as connection:
            connection.execute("drop table words")

    def ask(self, login: Login) -> object:
        with self._connected(login) as connection:
            return connection.execute("show statement_timeout").fetchone()[0]  # type: ignore[index]

    def release(self, login: Login) -> str:
        with self._connected(login) as connection:
            return "{}.{}".format(*divmod(connection.info.server_version, 10_000))

    def may_write(self, login: Login) -> bool:
        try:
            with self._connected(login) as connection:
                connection.execute("insert into words values (0, '')")
                connection.rollback()
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True

    def may_come_in(self, login: Login) -> bool:
        try:
            with self._connected(login):
                return True
        except psycopg.OperationalError:
            return False


class Valkey:
    slug = "valkey"
    plans = ("free", "dev-1")
    releases = ("9.1.1", "9.1.2")
    setting = {"maxmemory_policy": "allkeys-lru"}
    seen = "allkeys-lru"

    @contextmanager
    def _connected(self, login: Login) -> Iterator["redis.Redis"]:
        assert login.uri.startswith("rediss://")
        options: dict[str, Any] = {"socket_timeout": 10, "decode_responses": True}
        with login.authority() as file:
            with redis.Redis.from_url(login.uri, ssl_ca_certs=file, **options) as client:
                yield client

    def fill(self, login: Login) -> None:
        with self._connected(login) as client:
            client.mset({f"word:{number}": number for number in range(1000)})

    def rows(self, login: Login) -> list[Any]:
        with self._connected(login) as client:
            names = sorted(client.scan_iter("word:*", count=1000))
            return list(zip(names, client.mget(names), strict=True)) if names else []

    def lose(self, login: Login) -> None:
        with self._connected(login) as client:
            client.flushall()

    def ask(self, login: Login) -> object:
        with self._connected(login) as client:
            return client.info("memory")["maxmemory_policy"]

    def release(self, login: Login) -> str:
        with self._connected(login) as client:
            return str(client.info("server")["valkey_version"])

    def may_write(self, login: Login) -> bool:
        try:
            with self._connected(login) as client:
                return bool(client.set("probe", "1")) and client.delete("probe") == 1
        except redis.exceptions.NoPermissionError:
            return False

    def may_come_in(self, login: Login) -> bool:
        try:
            with self._connected(login) as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return False


ENGINES: tuple[Engine, ...] = (PostgreSQL(), Valkey())
