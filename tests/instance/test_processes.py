"""Roles as real processes: kept, adopted, stopped, with nothing left."""

import dataclasses
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap.layout import lay_out
from portal.instance import proc
from portal.instance.keeper import Deadline, Keeper
from portal.instance.processes import Kept, Role, reap
from portal.instance.sweep import sweep

FOREVER = "import signal; signal.pause()"
FAMILY = f"""
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", {FOREVER!r}]).pid, flush=True)
{FOREVER}
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    lay_out(tmp_path / "data")
    yield tmp_path / "data"
    for pid in proc.of_instance(tmp_path / "data"):
        proc.send(pid, signal.SIGKILL)
    reap()


def role(data: Path, code: str, name: str = "role") -> Role:
    environment = {**os.environ, "ARCHIPEL_DATA": str(data)}
    return Role(name, lambda: [sys.executable, "-c", code], environment, steps=((signal.SIGTERM, 0.3),))


def said(data: Path) -> str:
    return (data / "log" / "role.log").read_text()


def test_a_killed_role_is_started_again_and_its_children_do_not_stay(
    data: Path, eventually: Callable[..., Any]
) -> None:
    keeper = Keeper(data)
    keeper.add(role(data, FAMILY))
    first = keeper.kept["role"].process
    assert first
    child = int(eventually(lambda: said(data)))

    os.kill(first.pid, signal.SIGKILL)
    ended = eventually(lambda: keeper.turn(0.1))
    eventually(lambda: keeper.turn(0.1) == [] and keeper.kept["role"].handle >= 0)

    assert ended == ["role"]
    assert not proc.identity(child).alive()
    second = keeper.kept["role"].process
    assert second
    assert second != first
    assert second.alive()
    keeper.stop(["role"], Deadline(5))
    assert proc.of_instance(data) == []


def test_a_role_that_keeps_failing_is_tried_less_and_less_often(data: Path, eventually: Callable[..., Any]) -> None:
    keeper = Keeper(data)
    keeper.add(role(data, "raise SystemExit(1)"))
    kept = keeper.kept["role"]
    waits = []
    while len(waits) < 3:
        if eventually(lambda: keeper.turn(0.5)):
            waits.append(kept.due - kept.ended_at)

    assert [round(wait, 1) for wait in waits] == [0.2, 0.4, 0.8]


def test_a_later_keeper_adopts_what_runs_and_notices_its_end(data: Path, eventually: Callable[..., Any]) -> None:
    first = Kept(role(data, FOREVER), data)
    first.start()
    later = Keeper(data)

    later.add(role(data, FOREVER), adopt=True)

    assert later.kept["role"].process == first.process
    assert first.process
    os.kill(first.process.pid, signal.SIGKILL)
    assert eventually(lambda: later.turn(0.1)) == ["role"]
    later.stop(["role"], Deadline(5))


def test_a_record_of_a_pid_that_was_used_again_is_not_adopted(data: Path) -> None:
    kept = Kept(role(data, FOREVER), data)
    kept.record.write_text(f'{{"pid": {os.getpid()}, "start": 1}}')

    assert not kept.adopt()


def test_a_role_that_ignores_its_signal_is_killed_when_its_time_is_up(
    data: Path, eventually: Callable[..., Any]
) -> None:
    keeper = Keeper(data)
    keeper.add(role(data, STUBBORN))
    process = keeper.kept["role"].process
    assert process
    eventually(lambda: "deaf" in said(data))

    keeper.stop(["role"], Deadline(5))

    assert not process.alive()
    assert not (data / "run" / "role.json").exists()


def test_a_sweep_finds_a_process_that_nobody_knows(data: Path, eventually: Callable[..., Any]) -> None:
    stray = Kept(role(data, FAMILY), data)
    stray.start()
    eventually(lambda: said(data))
    assert len(proc.of_instance(data)) == 2

    sweep(data)

    assert proc.of_instance(data) == []


def test_terminal_signals_are_not_for_the_roles(data: Path) -> None:
    kept = Kept(role(data, FOREVER), data)
    kept.start()
    assert kept.process

    assert os.getsid(kept.process.pid) == kept.process.pid
    kept.kill()


def test_a_role_that_the_machine_refuses_to_start_is_tried_again(
    data: Path, eventually: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    refusals = [OSError(errno.ENOSPC, "No space left on device")] * 2

    def prepare() -> None:
        if refusals:
            raise refusals.pop()

    keeper = Keeper(data)
    keeper.add(dataclasses.replace(role(data, FOREVER), prepare=prepare))
    kept = keeper.kept["role"]
    assert kept.handle < 0
    eventually(lambda: keeper.turn(0.1) == [] and kept.handle >= 0)

    assert refusals == []
    assert kept.failures == 2
    assert capsys.readouterr().err == "role can't be started: No space left on device\n" * 2
    keeper.stop(["role"], Deadline(5))
    assert proc.of_instance(data) == []
