"""What customers know: which services and parts they were promised, and which rows they were told are committed."""

import threading
from dataclasses import dataclass, field

from tests.chaos.stores import Away, Connection, Line, Store


@dataclass
class Rows:
    """Numbers of one place: ``must`` were acknowledged, of ``may`` nobody knows."""

    must: set[int] = field(default_factory=set)
    may: set[int] = field(default_factory=set)

    def copy(self) -> "Rows":
        return Rows(set(self.must), set(self.may))

    def wrong(self, found: set[int]) -> str:
        """Say in what the rows that are there differ from what was promised; empty where they don't."""
        lost, strange = sorted(self.must - found), sorted(found - self.must - self.may)
        words = [f"{len(lost)} lost, such as {lost[:5]}"] if lost else []
        return ", ".join(words + ([f"{len(strange)} strange, such as {strange[:5]}"] if strange else []))


Content = dict[str, Rows]  # by place


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
    """Say of each place in what it differs from what was promised."""
    wrong = {name: rows.wrong(found[name].must) for name, rows in promised.items()}
    return {name: words for name, words in wrong.items() if words}


class Book:
    """One service as its customer knows it. ``lock`` holds the writer still while the rows are counted or replaced."""

    def __init__(self, store: Store, service: str, name: str, plan: str, content: Content) -> None:
        self.store, self.service, self.name, self.plan = store, service, name, plan
        self.content = content
        self.users: set[str] = set()
        self.unsure: set[str] = set()  # parts that may be there or not: what made or removed them has failed
        self.backups: dict[str, Content] = {}
        self.connection: Connection = {}
        self.lock = threading.Lock()

    def snapshot(self) -> Content:
        with self.lock:
            return {name: rows.copy() for name, rows in self.content.items()}

    def connect(self, place: str) -> Line:
        """Connect as the customer does. Raises Away."""
        return self.store.connect(self.connection, place)

    def lets_in(self, place: str) -> bool:
        """Tell whether a customer can connect."""
        try:
            self.connect(place).close()
        except Away:
            return False
        return True

    def rows(self, place: str) -> tuple[set[int]] | None:
        """Return the numbers that are there now; None while nobody answers."""
        try:
            line = self.connect(place)
        except Away:
            return None
        try:
            return (line.numbers(),)
        except Away:
            return None
        finally:
            line.close()


class Writer(threading.Thread):
    """Commits one number after the other into each place of a service, and notes what was acknowledged."""

    EVERY = 0.04  # seconds

    def __init__(self, book: Book) -> None:
        super().__init__(daemon=True, name=f"writer of {book.name}")
        self.book = book
        self._over = threading.Event()
        self._next = 1
        self._lines: dict[str, Line] = {}

    def run(self) -> None:
        while not self._over.wait(self.EVERY):
            with self.book.lock:
                for place, rows in self.book.content.items():
                    self._write(place, rows)
        for line in self._lines.values():
            line.close()

    def close(self) -> None:
        self._over.set()
        self.join()

    def _write(self, place: str, rows: Rows) -> None:
        number, self._next = self._next, self._next + 1
        try:
            line = self._connected(place)
        except Away:
            return
        rows.may.add(number)
        try:
            line.keep(number)
        except Away:
            self._lines.pop(place).close()
            return
        rows.may.discard(number)
        rows.must.add(number)

    def _connected(self, place: str) -> Line:
        if place not in self._lines:
            self._lines[place] = self.book.connect(place)
        return self._lines[place]
