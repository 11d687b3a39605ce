"""The last look: nothing that belongs to an instance may outlive it."""

import os
import shutil
import signal
import time
from pathlib import Path

from portal.bootstrap.paths import run_directory
from portal.instance import proc
from portal.instance.processes import reap

ROUNDS = 20  # a process may start another between two looks


def sweep(data: Path) -> None:
    """Kill every process of the instance that is left, and what they have started; remove the sockets."""
    for _ in range(ROUNDS):
        left = set(proc.started_for(data)) | set(proc.descendants(os.getpid()))
        if not left:
            break
        for pid in left:
            proc.send(pid, signal.SIGKILL)
        time.sleep(0.02)
        reap()
    shutil.rmtree(run_directory(data), ignore_errors=True)
