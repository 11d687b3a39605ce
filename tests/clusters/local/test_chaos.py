"""The supervisor killed at any moment: no instance is doubled, none is orphaned, none loses its data."""

import contextlib
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.layout import Home
from portal.core.drivers import Command, Unit

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

pytestmark = pytest.mark.engine
Units = Callable[..., Unit]
ONCE = Command("mark", ("/bin/sh", "-c", "test ! -e {{dir}}/made && echo made > {{dir}}/made"))


def engines(supervised: "Supervised", handle: str) -> list[int]:
    """Return the engines' own processes: what runs engine.py and was started by no other of those."""
    found = {pid for pid in proc.of_instance(supervised.data, handle) if b"engine.py" in _command(pid)}
    table = proc.every()
    python = {pid for pid in found if b"bwrap" not in _command(pid)}
    return [pid for pid in python if table[pid].parent not in python] if python <= table.keys() else []


def until_changed(supervised: "Supervised", handles: list[str], times: int, generation: int) -> None:
    """Wait until the records have changed so often, or there is nothing left that could change."""
    seen: set[tuple[str, int]] = set()

    def look() -> bool:
        files = {handle: Home(supervised.data, handle).state_file for handle in handles}
        seen.update((handle, file.stat().st_mtime_ns) for handle, file in files.items() if file.exists())
        states = [supervised.state(handle) for handle in handles]
        return len(seen) > times or all(state.ready and state.generation >= generation for state in states)

    supervised.eventually(look, f"{times} changes")


@pytest.mark.parametrize("walls", ["walls", "bare"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full), pytest.param(3, marks=pytest.mark.full)])
def test_kills_at_random_moments(bench: "Supervised", small_unit: Units, walls: str, seed: int) -> None:
    bench.walls = walls
    chance = random.Random(seed)
    handles = [f"chaos{number}" for number in range(3)]
    bench.start()
    for generation in range(1, 9):
        for handle in handles:
            bench.wish(handle, small_unit(prepare=(ONCE,), hard=str(generation)), generation=generation)
        until_changed(bench, handles, chance.randrange(24), generation)
        if chance.random() < 0.3:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                os.kill(bench.pid(chance.choice(handles)), signal.SIGKILL)
        bench.kill()
        bench.start()
    for handle in handles:
        bench.until_ready(handle, generation=8)
        bench.eventually(lambda handle=handle: len(engines(bench, handle)) == 1, "there is one engine")  # type: ignore[misc]
        assert (bench.data / "services" / handle / "root" / "made").exists()
    for handle in handles:
        bench.wish(handle, small_unit(), want="absent", generation=9)
    bench.eventually(lambda: not proc.by_instance(bench.data), "nothing is left")


def test_a_start_that_a_kill_cut_off_is_ended_not_doubled(bench: "Supervised", small_unit: Units) -> None:
    """The engine runs, yet the record knows nothing of it: as after a kill right between start and record."""
    bench.start()
    home = bench.wish("cutoff", small_unit())
    bench.until_ready("cutoff")
    first = bench.pid("cutoff")
    bench.kill()
    home.state_file.unlink()
    bench.start()
    bench.until_ready("cutoff")
    assert bench.pid("cutoff") != first
    assert proc.process(first) is None
    assert len(engines(bench, "cutoff")) == 1
    assert (home.root / "starts").read_text().split() == ["one", "one"], "its data was kept"


def test_a_reused_pid_is_not_taken_for_an_engine(bench: "Supervised", small_unit: Units) -> None:
    bench.start()
    home = bench.wish("reused", small_unit())
    bench.until_ready("reused")
    bench.end()
    import json

    stored = json.loads(home.state_file.read_text())
    stored["identity"] |= {"pid": os.getpid(), "start": proc.every()[os.getpid()].start}
    home.state_file.write_text(json.dumps(stored))
    bench.start()
    bench.until_ready("reused")
    assert bench.pid("reused") != os.getpid()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
