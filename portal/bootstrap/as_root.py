"""A command started as root: what only root can do is done here, then the unprivileged account takes over."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from portal.bootstrap import handover, running, trial
from portal.bootstrap.account import Account, unprivileged
from portal.bootstrap.environment import Environment
from portal.bootstrap.layout import settle
from portal.bootstrap.say import refuse
from portal.bootstrap.way import open_way


def prepare(root: Path, environment: Environment, arguments: list[str], requirements: tuple[str, ...]) -> None:
    """Make account, ``.venv`` and data directory ready, and become the account."""
    account = unprivileged()
    command = arguments[0] if arguments else "help"
    if command == "venv":
        _make_usable(root, root, environment, account, requirements)
        return
    data = trial.settle(account) if command == "test" else settle(root, account)
    os.environ["ARCHIPEL_DATA"] = str(data)
    if command == "devcluster":
        trial.set_cache("ARCHIPEL_CONTROL_PLANE", account)
    running.check_there(data, arguments)
    _refuse_other_account(data, account)
    if command == "up":
        running.check_up(data, arguments)
    _make_usable(root, data, environment, account, requirements)
    if command in ("up", "test"):
        _compile(environment)
    handover.hand_over(data, account)
    handover.take_settings_along(data / "home", account)
    handover.wear(account, data)


def _refuse_other_account(data: Path, account: Account) -> None:
    """An instance that another account is serving can't be handed over under its feet."""
    record = running.served(data)
    owner = Path(f"/proc/{record['pid']}").stat().st_uid if record else account.uid
    if owner != account.uid:
        refuse(f"{data} is being served by uid {owner} (pid {record and record['pid']}): run this as that account")


def _make_usable(
    root: Path, data: Path, environment: Environment, account: Account, requirements: tuple[str, ...]
) -> None:
    """See that the account can reach tree and data, and that ``.venv`` is there and runs for it."""
    open_way(root, data, account)
    if environment.is_current(*requirements) and account.can((environment.python, os.X_OK)) == [True]:
        return
    from portal.bootstrap import host, making  # slow, and of use to one command in a thousand

    host.check_host()
    making.make(environment, account, *requirements)


def _compile(environment: Environment) -> None:
    """Write the byte code that the account can't, lest each process compiles the tree anew."""
    command = [str(environment.python), "-m", "compileall", "-qq", "portal", "apps"]
    subprocess.run(command, cwd=environment.root, check=False)
