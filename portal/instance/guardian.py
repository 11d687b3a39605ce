"""Watches ``up``: killed without warning, it is started again and takes over what still runs.

Run by ``up`` as ``python -m portal.instance.guardian DIR``; standard library only, a few megabytes. ``up`` in turn
watches the guardian.
"""

import os
import sys
import time
from pathlib import Path

from portal.instance.commands import manage
from portal.instance.processes import RESTORED, ended, reap, recorded
from portal.instance.sweep import sweep

LONGEST_DELAY = 30.0  # seconds between two attempts
TIME_TO_START = 15.0


def main(data: Path) -> None:
    """Watch until ``up`` stops in an orderly way; an ``up`` that was killed while stopping is finished here."""
    failures = 0
    while True:
        _watch(data)
        reap()
        if (data / "run" / "stopping").exists():
            sweep(data)
            return
        time.sleep(min(LONGEST_DELAY, 0.2 * 2**failures))
        failures = 0 if _respawn(data) else failures + 1


def _watch(data: Path) -> None:
    """Wait until the ``up`` on record is gone."""
    up = recorded(data / "run" / "up.json")
    if up and up.alive():
        handle = os.pidfd_open(up.pid)
        while not ended(handle, 3600.0):
            pass
        os.close(handle)


def _respawn(data: Path) -> bool:
    """Start an ``up`` that adopts; tell whether one came up (this or another that was faster)."""
    log = str(data / "log" / "up.log")
    arguments = manage("up", "--adopt", "--port", os.environ["ARCHIPEL_PORT"])
    environment = {**os.environ, "ARCHIPEL_DATA": str(data)}
    environment.pop("ARCHIPEL_ROLE", None)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawn(
            arguments[0], arguments, environment, file_actions=actions, setsid=True, setsigdef=RESTORED
        )
    except OSError:
        return False  # no room for another process, or for its log
    handle = os.pidfd_open(pid)
    end = time.monotonic() + TIME_TO_START
    while time.monotonic() < end and not ended(handle, 0.1):
        up = recorded(data / "run" / "up.json")
        if up and up.alive():
            os.close(handle)
            return True
    os.close(handle)
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
