"""kill -9 to each process of an instance in turn: portal and services answer again by themselves, and nothing stays."""

import gc
import os
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.journeys.instance import Instance, eventually

pytestmark = [
    pytest.mark.engine,
    # redis-py leaves the socket of a TLS handshake that failed to the garbage collector
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]
HEALED_WITHIN = 60.0


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    """Have what redis-py leaves open collected while that mark still holds, and not at the end of the run."""
    yield
    gc.collect()


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


def ordered(instance: Instance, offering: str, name: str) -> str:
    words = ("order", offering, name, "--plan", "free", "--wait")
    return instance.manage(*words, within=600).strip().splitlines()[-1]


def valkey(uri: str) -> "redis.Redis":
    return redis.Redis.from_url(uri, socket_timeout=5, socket_connect_timeout=5)


def answers(instance: Instance, postgresql: str, of_valkey: str) -> bool:
    """Whether the portal says that it is ready and both services give all that they were given."""
    with urllib.request.urlopen(f"{instance.url}/readyz", timeout=5) as answer:
        ready = answer.status == 200
    try:
        with psycopg.connect(postgresql, connect_timeout=5) as connection:
            rows = connection.execute("select count(*) from kept").fetchone()
        with valkey(of_valkey) as client:
            return ready and rows == (100,) and client.dbsize() == 100
    except (psycopg.OperationalError, redis.RedisError):
        return False


def kinds(instance: Instance) -> set[str]:
    """Return what sorts of process run: the roles of the portal, its servers, and the engines of the services."""
    # Not what comes and goes (probes, runs), nor what only waits beside an engine, which runs on without its bwrap.
    lasting = ("python", "valkey-server", "postgres", "haproxy")
    return {k for command in instance.processes().values() if (k := kind(command)).startswith(lasting)}


def kind(command: str) -> str:
    words = command.split()
    roles = ("gunicorn", "worker", "beat", "supervisor", "portal.instance.watch", "portal.instance.guardian", "up")
    role = next((word for word in words if word in roles), "")
    place = "service" if "/services/" in command else ""
    return f"{Path(words[0]).name}:{role}:{place}" if words else ""


def test_each_process_killed_in_turn_heals_by_itself(own: Instance) -> None:
    uris = ordered(own, "postgresql", "kept"), ordered(own, "valkey", "kept-too")
    with psycopg.connect(uris[0]) as connection:
        connection.execute("create table kept as select generate_series(1, 100) n")
    with valkey(uris[1]) as client:
        client.mset({f"kept:{number}": number for number in range(100)})
    assert answers(own, *uris)
    expected = kinds(own)
    assert len(expected) >= 9
    assert {"postgres::service", "valkey-server::service", "haproxy::service"} <= expected
    for pid, command in sorted(own.processes().items()):
        if pid not in own.processes():
            continue  # it went with one killed before, and its number may be somebody else's by now
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue

        def healed(pid: int = pid) -> bool:
            return pid not in own.processes() and kinds(own) >= expected and answers(own, *uris)

        eventually(healed, within=HEALED_WITHIN, what=f"after kill -9 of {pid} {command}: {expected - kinds(own)}")
    eventually(lambda: kinds(own) == expected, within=HEALED_WITHIN, what=f"nothing more than before: {expected}")


def test_what_was_ordered_comes_back_at_the_same_address_with_the_next_up(own: Instance) -> None:
    uri = ordered(own, "postgresql", "again")
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
