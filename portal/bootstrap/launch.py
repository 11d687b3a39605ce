"""The way from ``python3 manage.py COMMAND`` to that command in ``.venv``, as an account that may run it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from portal.bootstrap import running, trial
from portal.bootstrap.environment import RUN, TEST, Environment
from portal.bootstrap.options import take
from portal.bootstrap.paths import data_directory

ROOT = Path(__file__).resolve().parents[2]
NEED_THE_DATABASE = (
    "adduser",
    "token",
    "addcluster",
    "backup",
    "rotatekeys",
    "verifyaudit",
    "migrate",
    "shell",
    "dbshell",
)
WRITES_THE_TREE = ("makemigrations", "makemessages", "compilemessages", "startoffering", "spectacular")


def main(*, plain: Mapping[str, str], alone: str) -> None:
    """Prepare what is missing, then become the command.

    Given are the modules of what runs without Django around it: the ``plain`` commands, and what is wrapped around
    those that need the database while nobody serves it. They are named by manage.py, since nothing here may lean on
    what is above.
    """
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
        _run(arguments, plain, alone)
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
    running.check_there(data, arguments)
    if arguments[:1] == ["up"]:
        running.check_up(data, arguments)


def _drop(environment: Environment, arguments: list[str], requirements: tuple[str, ...]) -> None:
    """Do what only root can, then give root up."""
    from portal.bootstrap import as_root

    as_root.prepare(ROOT, environment, arguments, requirements)


def _run(arguments: list[str], plain: Mapping[str, str], alone: str) -> None:
    """Run the command in this process. ``venv`` has been carried out on the way: it prepares what the checks need."""
    command = arguments[0] if arguments else "help"
    data = data_directory(ROOT)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if command in plain:
        importlib.import_module(plain[command]).main(ROOT, data, arguments[1:])
    elif _stands_alone(command, data) and not {"-h", "--help"} & set(arguments):
        importlib.import_module(alone).main(ROOT, data, arguments)
    elif command != "venv":
        from django.core.management import execute_from_command_line

        execute_from_command_line([str(ROOT / "manage.py"), *arguments])


def _stands_alone(command: str, data: Path) -> bool:
    """Tell whether a command has to bring its database along. Where one is served, say where."""
    record = running.served(data)
    if record and record["port"]:
        os.environ.setdefault("ARCHIPEL_PORT", str(record["port"]))
        os.environ.setdefault("ARCHIPEL_SIGN_IN_BY_LINK", "1")
        return False
    inside = os.environ.get("ARCHIPEL_ALONE") == str(data) or "DATABASE_URL" in os.environ
    return command in NEED_THE_DATABASE and not inside
