"""kill -9 to each process of an instance in turn: portal and database answer again by themselves, and nothing stays."""

import os
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.journeys.instance import Instance, eventually

pytestmark = pytest.mark.engine
HEALED_WITHIN = 60.0


@pytest.fixture(scope="module")
def own() -> Iterator[Instance]:
    """An instance of this module's own: what is killed here is nobody else's."""
    with tempfile.TemporaryDirectory(prefix="archipel-kills-", ignore_cleanup_errors=True) as folder:
        portal = Instance(Path(folder) / "data")
        try:
            portal.up()
            yield portal
        finally:
            portal.down()


def answers(instance: Instance, uri: str) -> bool:
    """Whether the portal says that it is ready and the service gives its rows."""
    with urllib.request.urlopen(f"{instance.url}/readyz", timeout=5) as answer:
        ready = answer.status == 200
    try:
        with psycopg.connect(uri, connect_timeout=5) as connection:
            return ready and connection.execute("select count(*) from kept").fetchone() == (100,)
    except psycopg.OperationalError:
        return False


def kinds(instance: Instance) -> set[str]:
    """Return what sorts of process run: the roles of the portal, its servers, and the engine of the service."""
    # Not what comes and goes (probes, runs), nor what only waits beside an engine, which runs on without its bwrap.
    lasting = ("python", "valkey-server", "postgres")
    return {k for command in instance.processes().values() if (k := kind(command)).startswith(lasting)}


def kind(command: str) -> str:
    words = command.split()
    roles = ("gunicorn", "worker", "beat", "supervisor", "portal.instance.watch", "portal.instance.guardian", "up")
    role = next((word for word in words if word in roles), "")
    place = "service" if "/services/" in command else ""
    return f"{Path(words[0]).name}:{role}:{place}" if words else ""


def test_each_process_killed_in_turn_heals_by_itself(own: Instance) -> None:
    uri = own.manage("order", "postgresql", "kept", "--plan", "free", "--wait", within=600).strip().splitlines()[-1]
    with psycopg.connect(uri) as connection:
        connection.execute("create table kept as select generate_series(1, 100) n")
    assert answers(own, uri)
    expected = kinds(own)
    assert len(expected) >= 7
    for pid, command in sorted(own.processes().items()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it went with one killed before

        def healed(pid: int = pid) -> bool:
            return pid not in own.processes() and kinds(own) >= expected and answers(own, uri)

        eventually(healed, within=HEALED_WITHIN, what=f"after kill -9 of {pid} {command}: {expected - kinds(own)}")
    assert kinds(own) == expected


def test_what_was_ordered_comes_back_at_the_same_address_with_the_next_up(own: Instance) -> None:
    uri = own.manage("order", "postgresql", "again", "--plan", "free", "--wait").strip().splitlines()[-1]
    own.down()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri, connect_timeout=3)
    own.up()
    eventually(lambda: _connects(uri), within=60)


def _connects(uri: str) -> bool:
    try:
        with psycopg.connect(uri, connect_timeout=5) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False
