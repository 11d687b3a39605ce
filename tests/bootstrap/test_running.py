"""What is known of an instance that is being served."""

import json
import os
import socket
from pathlib import Path

import pytest

from portal.bootstrap import running


def record(data: Path, start: int) -> None:
    (data / "run").mkdir(parents=True)
    (data / "run" / "up.json").write_text(json.dumps({"pid": os.getppid(), "start": start, "port": 8123}))


def test_a_second_up_is_told_where_and_who_the_first_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, running.start_time(os.getppid()))

    with pytest.raises(SystemExit):
        running.refuse_second(tmp_path)

    assert f"already running at http://127.0.0.1:8123/ (pid {os.getppid()})" in capsys.readouterr().err


def test_a_pid_that_was_used_again_is_nobody(tmp_path: Path) -> None:
    record(tmp_path, running.start_time(os.getppid()) + 1)

    assert running.served(tmp_path) is None
    running.refuse_second(tmp_path)


def test_a_taken_port_is_refused_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit):
            running.check_up(tmp_path, ["up", "--port", str(port)])
        running.check_up(tmp_path, ["up", "--adopt", "--port", str(port)])

    assert f"port {port} can't be used" in capsys.readouterr().err
    running.check_up(tmp_path, ["up", "--port", str(port)])


@pytest.mark.parametrize("given", ["0", "65536", "http", "-1"])
def test_what_is_no_port_is_refused(given: str) -> None:
    with pytest.raises(SystemExit):
        running.port_from(given)
