"""``down`` and ``reset`` against processes as a portal has them: all of the instance ends, nobody else's does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal.instance import proc
from portal.instance.ownership import NO_PORT, make_run_directory, own

ROOT = Path(__file__).resolve().parents[3]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    for name in ("keys", "home", "run", "postgres", "services/abc/root"):
        (data / name).mkdir(parents=True)
    (data / "keys" / "secret_key").write_text("canary")
    return data


def manage(data: Path, *words: str, **options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "manage.py"), *words, "--data", str(data)]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        input=options.get("typed", ""),
    )


@contextmanager
def running(**environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_a_killed_portal_has_left_ends_and_a_shell_of_the_user_s_does_not(data: Path) -> None:
    of_data = {"ARCHIPEL_DATA": str(data)}
    with running(**of_data, ARCHIPEL_ROLE="web") as web, running(**of_data, ARCHIPEL_SERVICE="abc") as engine:
        with running(**of_data) as shell, running(ARCHIPEL_DATA="/elsewhere", ARCHIPEL_ROLE="web") as other:
            done = manage(data, "down")

            assert done.returncode == 0, done.stderr
            assert "killed portal has left" in done.stderr
            assert web.wait(5) == engine.wait(5) == -9
            assert shell.poll() is None
            assert other.poll() is None
    assert "nothing runs" in manage(data, "down").stderr


def test_a_command_at_work_is_not_pulled_away_from_under(data: Path) -> None:
    with own(data, NO_PORT):
        for words in (["down"], ["reset", "--yes"]):
            refused = manage(data, *words)
            assert refused.returncode == 1
            assert f"a command is at work in {data}" in refused.stderr
    assert (data / "keys" / "secret_key").exists()


def test_reset_takes_everything_away_once_somebody_has_agreed(data: Path) -> None:
    socket = make_run_directory(data)
    refused = manage(data, "reset")
    assert refused.returncode == 1
    assert "give --yes" in refused.stderr
    assert (data / "keys" / "secret_key").exists()

    closed = data / "services" / "abc" / "root"
    (closed / "file").touch()
    closed.chmod(0o500)
    with running(ARCHIPEL_DATA=str(data), ARCHIPEL_SERVICE="abc") as engine:
        done = manage(data, "reset", "--yes")
        assert done.returncode == 0, done.stderr
        assert engine.wait(5) == -9
    assert not data.exists()
    assert not socket.exists()
    assert proc.of_instance(data) == []
    assert "there is nothing in" in manage(data, "reset", "--yes").stderr


def test_reset_keeps_its_hands_off_a_directory_that_holds_other_things(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    refused = manage(tmp_path, "reset", "--yes")
    assert refused.returncode == 1
    assert "holds other things" in refused.stderr
    assert (tmp_path / "photographs").exists()
