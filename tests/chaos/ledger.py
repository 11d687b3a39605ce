"""What customers know: which services and parts they were promised, and which rows they were told are committed."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

TABLE = "create table if not exists kept (n bigint primary key)"


@dataclass
class Rows:
    """Numbers of one database: ``must`` were acknowledged, of ``may`` nobody knows."""

    must: set[int] = field(default_factory=set)
    may: set[int] = field(default_factory=set)

    def copy(self) -> "Rows":
        return Rows(set(self.must), set(self.may))

    def wrong(self, found: set[int]) -> str:
        """Say in what the rows that are there differ from what was promised; empty where they don't."""
        lost, strange = sorted(self.must - found), sorted(found - self.must - self.may)
        words = [f"{len(lost)} lost, such as {lost[:5]}"] if lost else []
        return ", ".join(words + ([f"{len(strange)} strange, such as {strange[:5]}"] if strange else []))


Content = dict[str, Rows]  # by database


def taken_between(before: Content, after: Content) -> Content:
    """Return what a backup holds that was asked for at one time and had ended at another."""
    nothing = Rows()
    return {
        name: Rows(
            before.get(name, nothing).must & after.get(name, nothing).must,
            before.get(name, nothing).may | after.get(name, nothing).must | after.get(name, nothing).may,
        )
        for name in {*before, *after}
    }


def differences(promised: Content, found: Content) -> dict[str, str]:
    """Say of each database in what it differs from what was promised."""
    wrong = {name: rows.wrong(found[name].must) for name, rows in promised.items()}
    return {name: words for name, words in wrong.items() if words}


class Book:
    """One service as its customer knows it. ``lock`` holds the writer still while the rows are counted or replaced."""

    def __init__(self, service: str, name: str, plan: str, content: Content) -> None:
        self.service, self.name, self.plan = service, name, plan
        self.content = content
        self.users: set[str] = set()
        self.unsure: set[str] = set()  # parts that may be there or not: what made or removed them has failed
        self.backups: dict[str, Content] = {}
        self.connection: Mapping[str, str] = {}
        self.lock = threading.Lock()

    def snapshot(self) -> Content:
        with self.lock:
            return {name: rows.copy() for name, rows in self.content.items()}

    def connect(self, database: str) -> psycopg.Connection[tuple[int]]:
        """Connect as the customer does, the authority's certificate verified. Raises psycopg.OperationalError."""
        return psycopg.connect(
            self.connection["uri"],
            dbname=database,
            sslrootcert=self.connection["authority"],
            connect_timeout=5,
            autocommit=True,
        )

    def lets_in(self, database: str) -> bool:
        """Tell whether a customer can connect."""
        try:
            with self.connect(database):
                return True
        except psycopg.OperationalError:
            return False

    def rows(self, database: str) -> tuple[set[int]] | None:
        """Return the numbers that are there now; None while nobody answers."""
        try:
            with self.connect(database) as connection:
                connection.execute(TABLE)
                return ({number for (number,) in connection.execute("select n from kept").fetchall()},)
        except psycopg.OperationalError:
            return None


class Writer(threading.Thread):
    """Commits one number after the other into each database of a service, and notes what was acknowledged."""

    EVERY = 0.04  # seconds

    def __init__(self, book: Book) -> None:
        super().__init__(daemon=True, name=f"writer of {book.name}")
        self.book = book
        self._over = threading.Event()
        self._next = 1
        self._connections: dict[str, psycopg.Connection[tuple[int]]] = {}

    def run(self) -> None:
        while not self._over.wait(self.EVERY):
            with self.book.lock:
                for database, rows in self.book.content.items():
                    self._write(database, rows)
        self._forget_all()

    def close(self) -> None:
        self._over.set()
        self.join()

    def _write(self, database: str, rows: Rows) -> None:
        number, self._next = self._next, self._next + 1
        try:
            connection = self._connected(database)
        except psycopg.Error:
            return
        rows.may.add(number)
        try:
            connection.execute("insert into kept values (%s)", [number])
        except psycopg.Error:
            self._connections.pop(database).close()
            return
        rows.may.discard(number)
        rows.must.add(number)

    def _connected(self, database: str) -> psycopg.Connection[tuple[int]]:
        if database not in self._connections:
            connection = self.book.connect(database)
            connection.execute(TABLE)
            self._connections[database] = connection
        return self._connections[database]

    def _forget_all(self) -> None:
        for connection in self._connections.values():
            connection.close()
