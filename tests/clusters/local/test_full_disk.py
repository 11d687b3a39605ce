"""A full disk under the supervisor: what is seen is told later, and nothing begins that may run only once."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.clusters.backends.local import files
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor import logs
from portal.clusters.backends.local.supervisor.record import Record
from portal.clusters.backends.local.supervisor.runs import NO_ROOM, Runs
from portal.clusters.backends.local.supervisor.status import SOON, Status
from portal.core.drivers import Phase, Run, RunResult

Fill = Callable[[bool], None]
HANDLE = "disk23456789"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, HANDLE)
    made.make()
    return made


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """``fill(True)``: nothing can be written any more; ``fill(False)``: again."""
    write = files.write

    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda full: monkeypatch.setattr(files, "write", refuse if full else write)


def test_what_is_seen_meanwhile_is_written_and_told_once_there_is_room(home: Home, fill: Fill) -> None:
    told: list[str] = []
    status = Status(home, told.append, lambda: True)
    fill(True)
    status.see(phase=Phase.RUNNING, ready=True)
    assert status.record.unsaved
    assert status.catch_up(60.0) == SOON
    told.clear()

    fill(False)
    assert status.catch_up(60.0) == 60.0
    assert told == [HANDLE]
    assert Record(home).seen.phase is Phase.RUNNING
    assert status.catch_up(60.0) == 60.0
    assert told == [HANDLE], "told once"


@pytest.mark.parametrize("once", [True, False])
def test_a_run_that_may_run_only_once_is_not_begun(
    once: bool, home: Home, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []

    async def outcome(self: Runs, run: Run, started: RunResult) -> RunResult:
        began.append(run.key)
        return RunResult("succeeded", 0)

    monkeypatch.setattr(Runs, "_outcome", outcome)
    record = Record(home)
    fill(True)
    asyncio.run(Runs(record, lambda news: None, lambda: None)._perform(Run("copy", ("true",), once=once)))

    assert began == ([] if once else ["copy"])
    if once:
        assert (record.seen.runs["copy"].state, record.seen.runs["copy"].output) == ("failed", NO_ROOM)


def test_what_the_machine_refuses_fails_the_run_and_the_lane_goes_on(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(self: Runs, run: Run, started: RunResult) -> RunResult:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Runs, "_outcome", refused)
    record = Record(home)
    asyncio.run(Runs(record, lambda news: None, lambda: None)._perform(Run("copy", ("true",), once=True)))

    assert record.seen.runs["copy"].state == "failed"
    assert "No space left on device" in record.seen.runs["copy"].output


def test_a_log_without_room_fails_nothing(tmp_path: Path) -> None:
    logs.write_run(tmp_path / "missing", "copy", "said")
    assert not (tmp_path / "missing").exists()
