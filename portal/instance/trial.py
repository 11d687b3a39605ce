"""A test run: the portal's own database and broker in a directory of the run's own, pytest, and nothing left behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from portal.bootstrap import trial
from portal.bootstrap.say import say
from portal.instance.failed import Failed
from portal.instance.keeper import become_subreaper
from portal.instance.ownership import own
from portal.instance.stores import Stores
from portal.instance.sweep import sweep

NO_PORT = 0  # nothing is served


class Stop(BaseException):
    """Somebody asked to stop."""


def run(root: Path, data: Path, arguments: list[str]) -> int:
    """Run pytest with these arguments and return its exit code."""
    fresh = os.environ.pop(trial.MARK, None)
    environment = {**os.environ, "ARCHIPEL_DATA": str(data), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    become_subreaper()
    with own(data, NO_PORT):
        stores = Stores(data, environment)
        try:
            stores.start()
            return _pytest(root, environment, arguments)
        except (Stop, KeyboardInterrupt):
            return 130
        except Failed as error:
            say(f"archipel: {error}")
            return 1
        finally:
            stores.stop()
            sweep(data)
            if fresh:
                shutil.rmtree(fresh, ignore_errors=True)


def _pytest(root: Path, environment: Mapping[str, str], arguments: list[str]) -> int:
    say("running the tests")
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode


def _stop(*_: object) -> NoReturn:
    raise Stop
