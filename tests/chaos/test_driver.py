"""The driver itself: plans that a seed repeats, and faults that are felt."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos import faults
from tests.chaos.island import Island
from tests.journeys.instance import eventually

WRITES = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
while True:
    os.write(file, b"x")
"""
DELAY = 300  # milliseconds


def test_a_seed_gives_the_same_plan_again_and_no_other_one() -> None:
    assert faults.plan(7, 100) == faults.plan(7, 100)
    assert faults.plan(7, 20) != faults.plan(8, 20)


def test_twenty_faults_hold_every_kind_and_every_victim_and_spare_one_keeper() -> None:
    for seed in range(50):
        batches = faults.plan(seed, 20)
        struck = [fault for batch in batches for fault in batch]
        assert len(struck) == 20
        assert {fault.kind for fault in struck} == {kind for kind, _ in faults.DECK}
        assert {fault.target for fault in struck if fault.kind == "kill"} == set(faults.TARGETS)
        assert not any({fault.target for fault in batch} >= faults.KEEPERS for batch in batches)


@pytest.mark.engine
def test_a_slow_disk_is_slow_and_fast_again(island: Island, tmp_path: Path) -> None:
    file = tmp_path / "written"
    with subprocess.Popen([sys.executable, "-c", WRITES, str(file)]) as writer:
        eventually(lambda: file.exists() and file.stat().st_size)
        with faults.slowed(island.strace, [writer.pid], DELAY):
            before, began = file.stat().st_size, time.monotonic()
            eventually(lambda: file.stat().st_size >= before + 3)
            assert time.monotonic() - began >= 2 * DELAY / 1000
        eventually(lambda: file.stat().st_size >= before + 10_000)
        writer.kill()


@pytest.mark.engine
def test_a_full_disk_is_full_for_the_portal_alone_and_free_again(island: Island) -> None:
    inside, beside = island.inside("run", "probe"), island.log.with_suffix(".probe")
    island.disk.fill()
    with pytest.raises(OSError, match="No space left on device"):
        inside.write_bytes(b"x" * 65536)
    beside.write_bytes(b"x" * 65536)
    island.disk.free()
    inside.write_bytes(b"x" * 65536)
    inside.unlink()


@pytest.mark.engine
def test_the_portals_clock_is_set_and_the_tests_own_is_not(island: Island) -> None:
    def portals() -> float:
        return float(island.manage("shell", "--verbosity", "0", "-c", "import time; print(time.time())").split()[-1])

    try:
        island.clock.set(3 * 3600)
        assert 3 * 3600 - 60 < portals() - time.time() < 3 * 3600 + 60
    finally:
        island.clock.set(0)
    assert abs(portals() - time.time()) < 60
