"""The judge is shown one of each thing that must not be, and names it: a check that can't fail would be none."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.chaos import processes
from tests.chaos.customer import Customer
from tests.chaos.faults import portal_database
from tests.chaos.island import Island
from tests.chaos.judge import Judge
from tests.chaos.ledger import Book
from tests.chaos.patient import Patient
from tests.chaos.stores import POSTGRESQL
from tests.journeys.instance import eventually

pytestmark = pytest.mark.engine


@pytest.fixture
def customer(island: Island) -> Iterator[Customer]:
    """A customer with one service that holds some rows and a backup."""
    made = Customer(Patient(island.url, island.token()), POSTGRESQL, "judged", "1", lambda began, ended: "")
    made.order()
    book = made.books[0]
    eventually(lambda: len(book.content["defaultdb"].must) > 3, what="some rows")
    yield made
    made.leave(book)


def test_it_names_whatever_is_planted(island: Island, customer: Customer) -> None:
    judge, book = Judge(island), customer.books[0]
    (handle,) = processes.handles(island)
    eventually(lambda: not judge.restless(), what=f"all is at rest: {judge.restless()}")
    assert judge.faults([customer]) == []

    marks = {"ARCHIPEL_DATA": str(island.data)}
    with _process("sleep", marks):
        _names(judge, customer, "a process of nobody")
    with _process("sleep", {**marks, "ARCHIPEL_ROLE": "web"}):
        _names(judge, customer, "web runs 2 times")
    with _process("sleep", {**marks, "ARCHIPEL_SERVICE": "gone23456789"}):
        _names(judge, customer, "processes of gone23456789")
    with _process("postgres", {**marks, "ARCHIPEL_SERVICE": handle}):
        _names(judge, customer, "has 2 engines")
    with _process("postgres", {**marks, "ARCHIPEL_SERVICE": handle, "ARCHIPEL_COMPANION": "replica"}):
        _names(judge, customer, "has 1 processes of its companion replica")
    for made, complaint in _directories(island, handle):
        _names(judge, customer, complaint)
        made()
    for statement, undo, complaint in _rows(handle):
        _execute(island, statement)
        _names(judge, customer, complaint)
        _execute(island, undo)
    assert judge.faults([customer]) == []
    _misses_a_row(customer, book)
    assert judge.leftovers(), "a service that is there is no leftover"


def _names(judge: Judge, customer: Customer, complaint: str) -> None:
    found = judge.faults([customer])
    assert any(complaint in line for line in found), (complaint, found)


@contextmanager
def _process(name: str, marks: dict[str, str]) -> Iterator[None]:
    """Run something that does nothing, under a name and with the marks of the instance."""
    argv = [name, "-c", "while :; do read -r line; done"]
    environment = {"PATH": os.environ["PATH"], **marks}
    with subprocess.Popen(
        argv, executable="/bin/sh", env=environment, stdin=subprocess.PIPE, start_new_session=True
    ) as one:
        yield
        one.kill()


def _directories(island: Island, handle: str) -> Iterator[tuple[Callable[[], object], str]]:
    """Make something that belongs to nobody; yield how to take it away and what is to be said of it."""
    services = island.inside("services")
    for path, complaint in (
        (services / "gone23456789", "directories: without a service"),
        (services / ".gone-gone23456789", "removal cut off"),
        (island.socket / "gone23456789", "sockets of gone23456789"),
    ):
        path.mkdir()
        yield path.rmdir, complaint
    stray = services / handle / "artifacts" / "stray" / "base.tar.gz"
    stray.parent.mkdir()
    stray.touch()
    yield lambda: (stray.unlink(), stray.parent.rmdir()), "a file of no backup"
    (kept,) = services.glob(f"{handle}/artifacts/*/base.tar.gz")
    kept.rename(kept.with_suffix(".away"))
    yield lambda: kept.with_suffix(".away").rename(kept), "a backup's file is lost"


def _rows(handle: str) -> Iterator[tuple[str, str, str]]:
    """Yield a change to the portal's rows, what undoes it, and what is to be said of it."""
    yield (
        "insert into clusters_portreservation (id, cluster_id, port, handle, name)"
        " select 999999, cluster_id, 31999, 'gone23456789', 'main' from clusters_portreservation limit 1",
        "delete from clusters_portreservation where id = 999999",
        "port 31999 is reserved for gone23456789",
    )
    yield (
        f"update clusters_portreservation set port = port + 1000 where handle = '{handle}'",
        f"update clusters_portreservation set port = port - 1000 where handle = '{handle}'",
        "without a reservation",
    )
    mine = f"where resource_id = (select id from resources_resource where handle = '{handle}')"
    yield (
        f"update resources_child set name = 'renamed' {mine} and name = 'defaultdb'",
        f"update resources_child set name = 'defaultdb' {mine} and name = 'renamed'",
        "parts of judged-db1",
    )
    yield (
        f"update resources_child set state = 'failed' {mine} and kind = 'backups'",
        f"update resources_child set state = 'succeeded' {mine} and kind = 'backups'",
        "backups of judged-db1",
    )


def _execute(island: Island, statement: str) -> None:
    with psycopg.connect(portal_database(island)) as connection:
        assert connection.execute(statement).rowcount == 1


def _misses_a_row(customer: Customer, book: Book) -> None:
    """Take one committed row away: it is missed; and put it back."""
    with book.lock:
        number = min(book.content["defaultdb"].must)
        line = book.connect("defaultdb")
        line.lose(number)
        with pytest.raises(AssertionError, match=rf"1 lost, such as \[{number}\]"):
            customer.check(book, book.content)
        line.keep(number)
        line.keep(-1)
        with pytest.raises(AssertionError, match=r"1 strange, such as \[-1\]"):
            customer.check(book, book.content)
        line.lose(-1)
        line.close()
        customer.check(book, book.content)
