"""The way from ``python3 manage.py COMMAND`` to that command in ``.venv``, as an account that may run it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from portal.bootstrap import running, trial
from portal.bootstrap.environment import RUN, TEST, Environment
from portal.bootstrap.options import take
from portal.bootstrap.paths import data_directory

ROOT = Path(__file__).resolve().parents[2]
WRITES_THE_TREE = ("makemigrations", "makemessages", "compilemessages", "startoffering", "spectacular")


def main() -> None:
    """Prepare what is missing, then become the command."""
    arguments, data = take(sys.argv[1:], "--data")
    if data is not None:
        os.environ["ARCHIPEL_DATA"] = str(Path(data).absolute())
    command = arguments[0] if arguments else "help"
    requirements = (RUN, TEST) if command in ("test", "venv") else (RUN,)
    environment = Environment(ROOT)
    if os.geteuid() == 0 and command in WRITES_THE_TREE:
        os.environ.setdefault("SECRET_KEY", os.urandom(48).hex())  # it leaves nothing of root's in the instance
    elif os.geteuid() == 0:
        _drop(environment, arguments, requirements)
    else:
        _settle(arguments)
    if not environment.is_current(*requirements):
        _make(environment, requirements)
    if environment.is_active():
        _run(arguments)
    else:
        python = str(environment.python)
        os.execve(python, [python, str(ROOT / "manage.py"), *arguments], os.environ)  # noqa: S606


def _make(environment: Environment, requirements: tuple[str, ...]) -> None:
    """Make ``.venv``. What that takes is imported here: commands that need nothing made should start at once."""
    from portal.bootstrap import host, making

    host.check_host()
    making.make(environment, None, *requirements)


def _settle(arguments: list[str]) -> None:
    """Settle the data directory, and say what stands in the way of ``up`` before minutes are spent on preparing."""
    data = trial.settle(None) if arguments[:1] == ["test"] else data_directory(ROOT)
    os.environ["ARCHIPEL_DATA"] = str(data)
    if arguments[:1] == ["up"]:
        running.check_up(data, arguments)


def _drop(environment: Environment, arguments: list[str], requirements: tuple[str, ...]) -> None:
    """Do what only root can, then give root up."""
    from portal.bootstrap import as_root

    as_root.prepare(ROOT, environment, arguments, requirements)


def _run(arguments: list[str]) -> None:
    """Run the command in this process. ``venv`` has been carried out on the way: it prepares what the checks need."""
    if arguments[:1] == ["venv"]:
        return
    data = data_directory(ROOT)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    record = running.served(data)
    if record:
        os.environ.setdefault("ARCHIPEL_PORT", str(record["port"]))
        os.environ.setdefault("ARCHIPEL_SIGN_IN_BY_LINK", "1")
    if arguments[:1] == ["up"]:
        from portal.instance.up import main as up

        up(ROOT, data, arguments[1:])
    elif arguments[:1] == ["test"]:
        from portal.instance.trial import run as test

        raise SystemExit(test(ROOT, data, arguments[1:]))
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line([str(ROOT / "manage.py"), *arguments])
