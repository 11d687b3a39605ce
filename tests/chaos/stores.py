"""How customers of each offering write numbers into a service and read them back: all that chaos knows of an engine.

A *place* is where numbers lie apart from others: a database of PostgreSQL's; a Valkey is one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import psycopg
import redis

Connection = Mapping[str, str]  # uri, and authority: the file of the certificate that verifies it


class Away(Exception):
    """The service does not answer, or refuses: what was asked may have been done or not."""


class Line(Protocol):
    """An open connection. Its verbs raise Away."""

    def keep(self, number: int) -> None:
        """Store a number; it is committed when this returns."""

    def lose(self, number: int) -> None:
        """Take a number away again, so that those who count are seen to notice."""

    def numbers(self) -> set[int]: ...

    def close(self) -> None: ...


class Store(Protocol):
    """One offering, as its customers use it."""

    offering: str
    plans: tuple[str, ...]  # growing; disks never shrink
    first: str  # the place that a new service has
    places: str  # the kind of part that is one more place; empty: there is but one

    def connect(self, connection: Connection, place: str) -> Line:
        """Connect as the customer does, the certificate verified. Raises Away."""


@dataclass(frozen=True)
class _Postgresql:
    offering: str = "postgresql"
    plans: tuple[str, ...] = ("free", "dev-2", "standard-4", "standard-8")
    first: str = "defaultdb"
    places: str = "databases"

    def connect(self, connection: Connection, place: str) -> Line:
        try:
            return _PostgresqlLine(connection, place)
        except psycopg.Error as error:
            raise Away(str(error)) from error


class _PostgresqlLine:
    TABLE = "create table if not exists kept (n bigint primary key)"

    def __init__(self, connection: Connection, database: str) -> None:
        authority = connection["authority"]
        self._to = psycopg.connect(
            connection["uri"], dbname=database, sslrootcert=authority, connect_timeout=5, autocommit=True
        )
        try:
            self._to.execute(self.TABLE)
        except psycopg.Error:
            self._to.close()
            raise

    def keep(self, number: int) -> None:
        try:
            self._to.execute("insert into kept values (%s)", [number])
        except psycopg.Error as error:
            raise Away(str(error)) from error

    def lose(self, number: int) -> None:
        self._to.execute("delete from kept where n = %s", [number])

    def numbers(self) -> set[int]:
        try:
            return {number for (number,) in self._to.execute("select n from kept").fetchall()}
        except psycopg.Error as error:
            raise Away(str(error)) from error

    def close(self) -> None:
        self._to.close()


@dataclass(frozen=True)
class _Valkey:
    offering: str = "valkey"
    plans: tuple[str, ...] = ("free", "dev-1", "standard-4")
    first: str = "0"
    places: str = ""

    def connect(self, connection: Connection, place: str) -> Line:
        try:
            return _ValkeyLine(connection)
        except (redis.RedisError, OSError) as error:
            raise Away(str(error)) from error


class _ValkeyLine:
    KEY = "kept"

    def __init__(self, connection: Connection) -> None:
        self._to = redis.Redis.from_url(
            connection["uri"],
            ssl_ca_certs=connection["authority"],
            socket_timeout=10,
            socket_connect_timeout=5,
            retry=None,
        )
        try:
            self._to.ping()
        except (redis.RedisError, OSError):
            self._to.close()
            raise

    def keep(self, number: int) -> None:
        """Store a number in a transaction: the log of writes has to bring those back as well."""
        try:
            with self._to.pipeline(transaction=True) as together:
                together.sadd(self.KEY, number).incr("writes").execute()
        except (redis.RedisError, OSError) as error:
            raise Away(str(error)) from error

    def lose(self, number: int) -> None:
        self._to.srem(self.KEY, number)

    def numbers(self) -> set[int]:
        try:
            return {int(number) for number in self._to.smembers(self.KEY)}  # type: ignore[union-attr]
        except (redis.RedisError, OSError) as error:
            raise Away(str(error)) from error

    def close(self) -> None:
        self._to.close()


POSTGRESQL: Store = _Postgresql()
VALKEY: Store = _Valkey()
