"""A command that needs the database while no ``up`` serves it: the database runs for as long as the command does."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from portal.bootstrap.paths import run_directory
from portal.bootstrap.say import say
from portal.instance import commands
from portal.instance.failed import Failed
from portal.instance.ownership import NO_PORT, own
from portal.instance.prepared import Prepared
from portal.instance.stopping import CODE, Stop, call_on_signals, stop_on_signals
from portal.instance.stores import Stores, embedded


def main(root: Path, data: Path, arguments: list[str]) -> NoReturn:
    """Run the command between start and stop of database and broker, then end the process."""
    with own(data, NO_PORT, wait=True):
        stores = Stores(data, embedded(data, ARCHIPEL_ALONE=str(data)))
        try:
            code = _run(root, stores, arguments)
        finally:
            call_on_signals(lambda: None)
            stores.stop()
            shutil.rmtree(run_directory(data), ignore_errors=True)
    sys.exit(code)


def _run(root: Path, stores: Stores, arguments: list[str]) -> int:
    stop_on_signals()
    try:
        stores.start()
        stores.wait()
        _prepare(root, stores)
        return subprocess.run(commands.manage(*arguments), env=stores.environment, check=False).returncode
    except Stop:
        return CODE
    except Failed as error:
        say(f"archipel: {error}")
        return 1


def _prepare(root: Path, stores: Stores) -> None:
    """Migrate and seed where that is due; static files can wait for ``up``."""
    prepared = Prepared(root, stores.data)
    due = {name: digest for name, digest in prepared.lacking().items() if name == "migrate"}
    if due:
        if subprocess.run(commands.manage("prepare", "--migrate"), env=stores.environment, check=False).returncode:
            raise Failed("preparing the database failed (see above)")
        prepared.note(due)
