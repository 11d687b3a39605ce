"""Makes ``.venv``, or brings it up to date when the requirements or the interpreter have changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from portal.bootstrap import interpreter, pip
from portal.bootstrap.account import Account
from portal.bootstrap.alone import alone
from portal.bootstrap.environment import Environment
from portal.bootstrap.say import refuse, say


def make(environment: Environment, account: Account | None, *requirements: str) -> None:
    """Install the files named; ``account`` is who will run it, if not the one who makes it."""
    # A lock on the project's root needs no file of its own.
    with alone(environment.root, os.O_RDONLY | os.O_DIRECTORY, "waiting for another command that makes .venv"):
        if environment.is_current(*requirements) and _runs_for(environment, account):
            return
        _check_writable(environment)
        _end_children_with_this()
        os.umask(0o022)
        began = time.monotonic()
        _install(environment, _base(environment, account), requirements)
        say(f".venv is ready ({time.monotonic() - began:.0f} s)")


def _end_children_with_this() -> None:
    """Turn a signal into an exception: on its way out the child that works at the moment is killed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))


def _base(environment: Environment, account: Account | None) -> Path:
    """Return the interpreter that ``.venv`` is made from, after making it where there is none to build on."""
    if _usable(environment, account):
        return environment.python.resolve()
    python = interpreter.choose(account)
    say(f"making .venv with {python}")
    if environment.path.exists():
        shutil.rmtree(environment.path)
    subprocess.run([str(python), "-m", "venv", "--without-pip", str(environment.path)], check=True, stdout=sys.stderr)
    return python


def _usable(environment: Environment, account: Account | None) -> bool:
    """Tell whether pip may work on what is there: finished once, and its interpreter is the same and still runs."""
    if _unfinished(environment).exists() or not _runs_for(environment, account):
        return False
    probe = [str(environment.python), "-I", "-c", "import sys; print(sys.version_info >= (3, 11), sys.prefix)"]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)
    same = environment.read_marker().get("python", str(environment.python.resolve())) == str(
        environment.python.resolve()
    )
    return answer.stdout.strip() == f"True {environment.path}" and same


def _runs_for(environment: Environment, account: Account | None) -> bool:
    return environment.python.exists() and (account is None or account.can((environment.python, os.X_OK)) == [True])


def _unfinished(environment: Environment) -> Path:
    return environment.path / "unfinished"


def _install(environment: Environment, python: Path, requirements: tuple[str, ...]) -> None:
    installed = {**environment.read_marker(), **environment.wanted(*requirements)}
    _unfinished(environment).touch()
    environment.marker.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="archipel-pip-") as scratch:
        command = pip.runner(python, environment.path, Path(scratch))
        for name in requirements:
            _run_pip(command, environment.root / name, name)
    environment.marker.write_text(json.dumps(installed))
    _unfinished(environment).unlink()


def _run_pip(command: list[str], file: Path, name: str) -> None:
    count = sum("==" in line for line in file.read_text().splitlines())
    say(f"installing {count} packages of {name}")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--only-binary", ":all:"]
    settings = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    arguments = [*command, "install", *options, "-r", str(file), f"pip=={pip.VERSION}"]
    if subprocess.run(arguments, env=settings, stdout=sys.stderr, check=False).returncode:
        refuse(f"pip could not install {file} (its message is above). Try again, or check the machine's pip settings.")


def _check_writable(environment: Environment) -> None:
    place = environment.path if environment.path.exists() else environment.root
    if not os.access(place, os.W_OK | os.X_OK):
        refuse(f"{place} has to be made or changed, and this account may not: run the command once as its owner.")
