"""A customer: orders a service and uses all of it, one step after the other as a seed says, whatever befalls.

Steps that the portal refuses as it should (something else is under way) are left out. An operation that is told to have
succeeded has to show its effect; one that failed has to have a fault for it.
"""

import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.chaos.ledger import Book, Content, Rows, Writer, differences, taken_between
from tests.chaos.patient import PATIENCE, Patient, Refused
from tests.chaos.stores import Store
from tests.journeys.instance import eventually

Operation = dict[str, Any]
Excuse = Callable[[float, float], str]  # which fault fell between two moments


class Customer(threading.Thread):
    """Works until told to stop; ``error`` is what went wrong. ``done`` counts operations that have ended."""

    def __init__(self, api: Patient, store: Store, name: str, seed: str, excuse: Excuse) -> None:
        super().__init__(daemon=True, name=name)
        self.api, self.store, self.excuse = api, store, excuse
        self.chance = random.Random(f"{seed} {name}")
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        self.books: list[Book] = []  # of all services that are promised to be there
        self.writers: dict[str, Writer] = {}
        self.done = 0
        self.history: list[str] = []
        self._names = 0

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._step()
        except BaseException as error:
            self.error = error
        finally:
            for writer in self.writers.values():
                writer.close()

    def _step(self) -> None:
        if not self.books:
            self.order()
            return
        book = self.books[0]
        step = self.chance.choice(STEPS)
        try:
            step(self, book)
        except Refused as refusal:
            if refusal.status != 409:
                raise
            self.history.append(f"{refusal}")

    # ---- operations --------------------------------------------------------------------------------------------------

    def begin(self, method: str, path: str, body: Any = None) -> tuple[Operation, float]:
        return self.api.ask(method, path, body, key=str(uuid.uuid4())), time.monotonic()

    def end(self, started: tuple[Operation, float]) -> str:
        """Return the state in which an operation has ended. Raises AssertionError where it failed for no reason."""
        operation, began = started
        operation = self.api.ended(operation)
        self.done += 1
        state, seconds = operation["state"], time.monotonic() - began
        self.history.append(f"{operation['type']} {operation['service_name']} {state} in {seconds:.1f} s")
        if state != "succeeded":
            fault = self.excuse(began, time.monotonic())
            assert fault, f"no fault befell it: {operation}"
            self.history.append(f"  for {fault}: {operation['error']}")
        return str(state)

    def carry_out(self, method: str, path: str, body: Any = None) -> bool:
        """Start an operation, follow it, and tell whether it succeeded."""
        return self.end(self.begin(method, path, body)) == "succeeded"

    def fresh(self, word: str) -> str:
        self._names += 1
        return f"{self.name}-{word}{self._names}"

    # ---- a service ---------------------------------------------------------------------------------------------------

    def order(self) -> None:
        """Order a service, begin to write into it, and make a first backup."""
        store = self.store
        body = {"name": self.fresh("db"), "offering": store.offering, "plan": self.chance.choice(store.plans[:2])}
        book = self._receive(self.begin("POST", "/api/v1/projects/demo/services", body), body, {store.first: Rows()})
        if not book.connection:
            self.wipe(book)
            return
        self.back_up(book)

    def _receive(self, started: tuple[Operation, float], body: dict[str, str], content: Content) -> Book:
        book = Book(self.store, started[0]["service"], body["name"], body["plan"], content)
        self.books.append(book)
        if self.end(started) == "failed":
            return book
        self.settled(book, "running")
        self._get_in(book)
        return book

    def settled(self, book: Book, state: str, health: str = "healthy") -> dict[str, Any]:
        """Wait until a service is as asked: an operation's time may be over before, when a clock was set."""

        found: dict[str, Any] = {}

        def look() -> bool:
            found.update(self.api.ask("GET", f"/api/v1/services/{book.service}"))
            return bool(found["state"] == state and (state != "running" or found["health"] == health))

        try:
            eventually(look, within=PATIENCE)
        except AssertionError as error:
            seen = {name: found.get(name) for name in ("state", "health", "conditions", "current_operation")}
            raise AssertionError(f"{book.name} is to be {state} and {health}, and is: {seen}") from error
        return found

    def _get_in(self, book: Book) -> None:
        path = f"/api/v1/services/{book.service}/credentials"
        shown = self.api.ask("POST", f"{path}/{self.api.ask('GET', path)['items'][0]['id']}/reveal")
        with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as authority:
            authority.write(shown["ca_pem"])
        book.connection = {"uri": shown["uri"], "authority": authority.name}
        self.answers(book)
        self.writers[book.service] = Writer(book)
        self.writers[book.service].start()

    def answers(self, book: Book) -> None:
        """Wait until a service lets its customer in; a fault may have struck right after the operation's end."""
        eventually(lambda: book.lets_in(self.store.first), within=PATIENCE, what=f"{book.name} lets its customer in")

    def check(self, book: Book, promised: Content, *others: Content) -> Content:
        """Compare the rows that are there with what was promised (or with ``others``); return what is there."""
        found = {name: Rows(eventually(lambda name=name: book.rows(name), within=PATIENCE)[0]) for name in promised}
        wrongs = [differences(content, found) for content in (promised, *others)]
        assert not all(wrongs), f"{book.name} ({book.service}): {wrongs}; {self.history[-12:]}"
        return found

    # ---- steps -------------------------------------------------------------------------------------------------------

    def make_database(self, book: Book) -> None:
        if self.store.places:
            self._make(book, self.store.places, self.fresh("d").replace("-", "_"))

    def make_user(self, book: Book) -> None:
        self._make(book, "users", self.fresh("u").replace("-", "_"))

    def _make(self, book: Book, kind: str, name: str) -> None:
        if not self.carry_out("POST", f"/api/v1/services/{book.service}/{kind}", {"name": name}):
            book.unsure.add(name)
        elif kind == "users":
            book.users.add(name)
        else:
            eventually(lambda: book.lets_in(name), within=PATIENCE, what=f"database {name} of {book.name}")
            with book.lock:
                book.content[name] = Rows()

    def drop_one(self, book: Book) -> None:
        """Take a database or user away that was made."""
        made = sorted([*book.users, *(book.content.keys() - {self.store.first}), *book.unsure])
        if not made:
            return
        name = self.chance.choice(made)
        part = self._find(book, name)
        if part is None:
            assert name in book.unsure, f"{name} of {book.name} is not there"
            book.unsure.discard(name)
            return
        with book.lock:
            book.content.pop(name, None)
        book.users.discard(name)
        book.unsure.add(name)
        self.end(self._deletion(f"/api/v1/services/{book.service}/{part['kind']}/{part['id']}", book, part))
        if self._find(book, name) is None:
            book.unsure.discard(name)

    def _find(self, book: Book, name: str) -> dict[str, Any] | None:
        kinds = filter(None, ("users", self.store.places))
        pages = (self.api.ask("GET", f"/api/v1/services/{book.service}/{kind}?limit=200") for kind in kinds)
        return next((item for page in pages for item in page["items"] if item["name"] == name), None)

    def _deletion(self, path: str, book: Book, part: dict[str, Any] | None = None) -> tuple[Operation, float]:
        """Start a deletion. One that got no answer may have begun: then it is found among the operations."""
        try:
            return self.begin("DELETE", path)
        except Refused as refusal:
            if refusal.status not in (404, 409):
                raise
            page = self.api.ask("GET", f"/api/v1/services/{book.service}/operations?limit=20")
            name = part["name"] if part else None
            mine = [
                o for o in page["items"] if o["type"].startswith("delete") and (o["child"] or {}).get("name") == name
            ]
            if not mine:
                raise
            return mine[0], time.monotonic()

    def back_up(self, book: Book) -> None:
        """Make a backup, sometimes with another part being made meanwhile."""
        before = book.snapshot()
        started = self.begin("POST", f"/api/v1/services/{book.service}/backups", {})
        if self.chance.random() < 0.5:
            self.make_user(book)
        if self.end(started) != "succeeded":
            return
        backup = started[0]["child"]["id"]
        found = self.api.ask("GET", f"/api/v1/services/{book.service}/backups/{backup}")
        assert found["state"] == "succeeded", f"a backup that is told to have succeeded: {found}"
        book.backups[backup] = taken_between(before, book.snapshot())

    def restore_in_place(self, book: Book) -> None:
        """Put a backup over the service. The writer stands still, since what it wrote meanwhile may stay or go."""
        if not book.backups:
            return
        backup = self.chance.choice(sorted(book.backups))
        with book.lock:
            while not self._restored(book, backup):
                pass  # its message says so: try again

    def _restored(self, book: Book, backup: str) -> bool:
        """Restore once, and see that either the backup or what was there before is in place, as was told."""
        body = {"backup": backup, "in_place": True}
        state = self.end(self.begin("POST", f"/api/v1/services/{book.service}/restore", body))
        self.settled(book, "running", "degraded" if state == "failed" else "healthy")
        restored = {name: book.backups[backup].get(name, Rows()) for name in book.content}
        old = {name: rows.copy() for name, rows in book.content.items()}
        allowed = {"succeeded": (restored,), "failed": (old,)}.get(state, (old, restored))
        book.content.update(self.check(book, *allowed))
        return state != "failed"

    def restore_into_new(self, book: Book) -> None:
        """Make a service of a backup, see that it holds what it should, and wipe it."""
        if not book.backups:
            return
        backup = self.chance.choice(sorted(book.backups))
        body = {"backup": backup, "target": {"name": self.fresh("from")}}
        started = self.begin("POST", f"/api/v1/services/{book.service}/restore", body)
        named = {"name": body["target"]["name"], "plan": book.plan}
        made = self._receive(started, named, {self.store.first: book.backups[backup][self.store.first].copy()})
        if made.connection:
            with made.lock:
                self.check(made, made.content)
        self.wipe(made)

    def resize(self, book: Book) -> None:
        larger = self.store.plans[self.store.plans.index(book.plan) + 1 :]
        if not larger:
            return
        plan = self.chance.choice(larger)
        self.carry_out("POST", f"/api/v1/services/{book.service}/resize", {"plan": plan})
        assert self.settled(book, "running")["plan"] == plan, f"{book.name} was to have {plan}"
        book.plan = plan

    def stop_and_start(self, book: Book) -> None:
        path = f"/api/v1/services/{book.service}"
        self.carry_out("POST", f"{path}/stop", {})
        self.settled(book, "stopped")
        assert not book.lets_in(self.store.first), f"{book.name} is stopped and lets its customer in"
        self.carry_out("POST", f"{path}/start", {})
        self.settled(book, "running")
        self.answers(book)

    def restart(self, book: Book) -> None:
        self.carry_out("POST", f"/api/v1/services/{book.service}/restart", {})
        self.settled(book, "running")
        self.answers(book)

    def delete_and_bring_back(self, book: Book) -> None:
        self.end(self._deletion(f"/api/v1/services/{book.service}?deletion_policy=bin", book))
        self.settled(book, "deleted")
        self.carry_out("POST", f"/api/v1/services/{book.service}/undelete", {})
        self.settled(book, "running")
        self.answers(book)

    def leave(self, book: Book) -> None:
        """Count the rows a last time and have the service wiped."""
        with book.lock:
            self.check(book, book.content)
        self.wipe(book)

    def wipe(self, book: Book) -> None:
        writer = self.writers.pop(book.service, None)
        if writer:
            writer.close()
        self.end(self._deletion(f"/api/v1/services/{book.service}?deletion_policy=wipe", book))
        self.settled(book, "purged")
        self.books.remove(book)


STEPS: tuple[Callable[[Customer, Book], None], ...] = (
    Customer.make_database, Customer.make_user, Customer.drop_one, Customer.resize, Customer.stop_and_start,
    Customer.restart, Customer.back_up, Customer.back_up, Customer.restore_in_place, Customer.restore_into_new,
    Customer.delete_and_bring_back, Customer.leave,
)  # fmt: skip
