"""A service that is held for a copy of its files stands still, whatever is asked, and no longer than it is held."""

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from portal.clusters.backends.local import proc
from portal.core.drivers import Phase, Unit
from portal.instance.care.gathering import standing_still

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

pytestmark = pytest.mark.engine
HANDLE = "abcdefgh2345"
HOLD = """
import fcntl, sys, time
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""
Units = Callable[..., Unit]


def test_nothing_of_it_runs_until_it_is_let_go(supervised: "Supervised", small_unit: Units) -> None:
    home = supervised.wish(HANDLE, small_unit())
    supervised.until_ready(HANDLE)
    with standing_still(home):
        assert proc.of_instance(supervised.data, HANDLE) == set()
        supervised.wish(HANDLE, small_unit(restarts=1), generation=2)
        supervised.eventually(lambda: supervised.state(HANDLE).generation == 2, "the new wish is seen")
        assert supervised.state(HANDLE).phase is Phase.STOPPED
        assert proc.of_instance(supervised.data, HANDLE) == set()
    supervised.until_ready(HANDLE, generation=2)


def test_a_holder_that_is_killed_lets_go(supervised: "Supervised", small_unit: Units) -> None:
    home = supervised.wish(HANDLE, small_unit())
    supervised.until_ready(HANDLE)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(home.hold_file)], stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    supervised.until(HANDLE, Phase.STOPPED)
    holder.kill()
    holder.communicate()
    supervised.until_ready(HANDLE)
    supervised.wish(HANDLE, small_unit(running=False), generation=2)
    with standing_still(home):
        assert supervised.until(HANDLE, Phase.STOPPED)
    assert supervised.until(HANDLE, Phase.STOPPED).generation == 2
