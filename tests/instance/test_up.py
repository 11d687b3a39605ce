"""``manage.py up`` for real: a directory of its own, every process killed once, and nothing left at the end."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap import running
from portal.bootstrap.paths import run_directory
from portal.instance import probe, proc
from portal.instance.processes import recorded
from portal.instance.sweep import sweep
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("broker", "database", "supervisor", "worker", "web", "beat", "watch", "guardian")
pytestmark = pytest.mark.engine


@dataclass
class Portal:
    """An ``up`` in a directory of its own."""

    data: Path
    port: int
    process: subprocess.Popen[str]
    errors: Path

    def ready(self) -> bool:
        return probe.ready(self.port)

    def pid_of(self, role: str) -> int:
        found = recorded(self.data / "run" / f"{role}.json")
        return found.pid if found and found.alive() else 0


def command(data: Path, port: int) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), "up", "--data", str(data), "--port", str(port)]


def start(data: Path, port: int, errors: Path) -> Portal:
    """Start one and wait for its ready line."""
    with errors.open("w") as file:
        process = subprocess.Popen(command(data, port), stdout=subprocess.PIPE, stderr=file, text=True)
    assert process.stdout
    line = process.stdout.readline()
    assert line == f"Archipel is ready: http://127.0.0.1:{port}/\n", errors.read_text()
    return Portal(data, port, process, errors)


def end(portal: Portal) -> str:
    """Stop one, and return what it still printed on stdout."""
    portal.process.send_signal(signal.SIGTERM)
    rest, _ = portal.process.communicate(timeout=60)
    return rest


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("instance") / "data"


@pytest.fixture
def portal(data: Path, port: int, tmp_path: Path) -> Iterator[Portal]:
    portal = start(data, port, tmp_path / "stderr")
    yield portal
    portal.process.kill()
    portal.process.communicate()
    sweep(data)


def test_it_says_one_line_serves_and_leaves_nothing_behind(portal: Portal) -> None:
    said = portal.errors.read_text()
    assert f"http://127.0.0.1:{portal.port}/sign-in/" in said
    assert portal.ready()
    assert get(portal.port, "/healthz") == 200
    assert get(portal.port, "/metrics") == 200

    assert end(portal) == ""

    assert portal.process.returncode == 0
    assert proc.of_instance(portal.data) == []
    assert not run_directory(portal.data).exists()
    assert not list((portal.data / "run").glob("*.json"))


def test_a_second_up_is_refused_and_the_first_serves_on(portal: Portal) -> None:
    second = subprocess.run(command(portal.data, portal.port + 1), capture_output=True, text=True, check=False)

    assert second.returncode == 1
    assert f"already running at http://127.0.0.1:{portal.port}/ (pid {portal.process.pid})" in second.stderr
    assert second.stdout == ""
    assert portal.ready()
    end(portal)


def test_a_taken_port_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = subprocess.run(command(tmp_path / "data", port), capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert f"port {port} can't be used" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_each_role_killed_in_turn_comes_back(portal: Portal, eventually: Callable[..., Any]) -> None:
    for role in ROLES:
        before = portal.pid_of(role)
        assert before, role
        os.kill(before, signal.SIGKILL)
        eventually(lambda role=role, before=before: portal.pid_of(role) not in (0, before), within=20)
        eventually(portal.ready, within=40)

    end(portal)
    assert proc.of_instance(portal.data) == []


def test_a_killed_up_is_replaced_by_one_that_takes_over_what_runs(
    portal: Portal, eventually: Callable[..., Any]
) -> None:
    kept = {role: portal.pid_of(role) for role in ROLES}
    portal.process.kill()
    portal.process.wait()

    later = eventually(lambda: running.served(portal.data), within=20)
    eventually(portal.ready, within=30)

    assert later["pid"] != portal.process.pid
    assert {role: portal.pid_of(role) for role in ROLES} == kept
    successor = proc.identity(later["pid"])
    os.kill(successor.pid, signal.SIGTERM)
    eventually(lambda: not successor.alive(), within=60)
    assert proc.of_instance(portal.data) == []


def test_a_fresh_up_cleans_up_after_one_that_lost_its_guardian_too(
    portal: Portal, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    database = portal.pid_of("database")
    portal.process.send_signal(signal.SIGSTOP)  # so that it can't start a new guardian
    os.kill(portal.pid_of("guardian"), signal.SIGKILL)
    portal.process.kill()
    portal.process.wait()

    fresh = start(portal.data, portal.port, tmp_path / "stderr-of-the-second")

    assert fresh.pid_of("database") == database
    end(fresh)
    assert proc.of_instance(portal.data) == []


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection(running.HOST, port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_token_can_be_had_while_nobody_serves(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ARCHIPEL_ALONE"}
    manage = [sys.executable, str(ROOT / "manage.py"), "--data", str(tmp_path / "data")]

    done = subprocess.run(
        [*manage, "token", "admin@example.org"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("arc_")
    assert proc.of_instance(tmp_path / "data") == []
    assert not run_directory(tmp_path / "data").exists()
