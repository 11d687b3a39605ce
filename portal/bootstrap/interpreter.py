"""Finds a Python that is new enough and that the account which will run it can reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from portal.bootstrap.account import Account
from portal.bootstrap.host import OLDEST
from portal.bootstrap.say import refuse

NAMES = ("python3", "python3.11", "python3.12", "python3.13", "python3.14")
PROBE = "import sys, ssl, sqlite3, venv; print(sys.version_info >= {oldest})"


def choose(account: Account | None) -> Path:
    """Return the interpreter for ``.venv``: the one that runs this if it will do, else the system's."""
    found = next((one for one in _candidates() if _reachable(one, account) and _new_enough(one)), None)
    if found is None:
        _refuse(account)
    return found


def _refuse(account: Account | None) -> NoReturn:
    wanted = ".".join(map(str, OLDEST))
    who = f"the account {account.name}" if account else "this account"
    refuse(
        f"needs Python {wanted} or newer, with its venv module, that {who} can run; this is "
        f"{sys.executable} ({sys.version.split()[0]}). On Debian 12: apt-get install python3 python3-venv"
    )


def _candidates() -> list[Path]:
    """Return real paths, each once. Inside a virtual environment its base is meant."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    named = [shutil.which(name, path="/usr/bin:/usr/local/bin:" + os.environ.get("PATH", "")) for name in NAMES]
    found = [base, "/usr/bin/python3", "/usr/local/bin/python3", *named]
    return list(dict.fromkeys(Path(path).resolve() for path in found if path and Path(path).exists()))


def _reachable(python: Path, account: Account | None) -> bool:
    if account is None:
        return True
    library = python.parent.parent / "lib"
    return all(account.can((python, os.X_OK), (library, os.R_OK | os.X_OK)))


def _new_enough(python: Path) -> bool:
    probe = PROBE.format(oldest=OLDEST)
    answer = subprocess.run([str(python), "-I", "-c", probe], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == "True"
