"""A test run: the portal's own database and broker in a directory of the run's own, pytest, and nothing left behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from portal.bootstrap import trial
from portal.bootstrap.say import say
from portal.instance.failed import Failed
from portal.instance.keeper import become_subreaper
from portal.instance.ownership import NO_PORT, own
from portal.instance.stopping import CODE, Stop, call_on_signals, stop_on_signals
from portal.instance.stores import Stores, embedded
from portal.instance.sweep import sweep

WORKERS = 2


def main(root: Path, data: Path, arguments: list[str]) -> NoReturn:
    """Run pytest with these arguments and end with its exit code."""
    fresh = os.environ.pop(trial.MARK, None)
    stop_on_signals()
    become_subreaper()
    with own(data, NO_PORT):
        stores = Stores(data, embedded(data, ARCHIPEL_ALONE=str(data)))
        try:
            code = _run(root, stores, arguments)
        finally:
            call_on_signals(lambda: None)
            stores.stop()
            sweep(data)
            if fresh:
                shutil.rmtree(fresh, ignore_errors=True)
    sys.exit(code)


def _run(root: Path, stores: Stores, arguments: list[str]) -> int:
    try:
        stores.start()
        stores.wait()
        say("running the tests")
        command = [sys.executable, "-m", "pytest", *_side_by_side(arguments), *arguments]
        return subprocess.run(command, cwd=root, env=stores.environment, check=False).returncode
    except Stop:
        return CODE
    except Failed as error:
        say(f"archipel: {error}")
        return 1


def _side_by_side(arguments: list[str]) -> list[str]:
    """Return what shares the files out among workers, each file whole: the portals that its tests start are its own.

    ``-n 0`` (with ``-s``, or for benchmarks) has all of it in one process.
    """
    asked = any(word.startswith(("-n", "--numprocesses")) or word == "no:xdist" for word in arguments)
    return [] if asked else ["-n", str(WORKERS), "--dist", "loadfile"]
