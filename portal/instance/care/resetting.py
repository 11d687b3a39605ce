"""``manage.py reset``: everything of an instance goes, its processes first."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from portal.bootstrap.layout import refuse_foreign
from portal.bootstrap.paths import run_directory
from portal.bootstrap.say import refuse, say
from portal.clusters.backends.local import files, ports
from portal.instance import devcluster
from portal.instance.care.downing import down, left_of
from portal.instance.commands import ROOT
from portal.instance.ownership import NO_PORT, own
from portal.instance.stopping import CODE, Stop, stop_on_signals

HELP = (
    "Take away everything of a portal: processes, database, keys, services with their data and backups, fetched "
    "packages. There is no way back but a backup that lies elsewhere."
)


def main(root: Path, data: Path, arguments: list[str]) -> NoReturn:
    """Ask, take everything away, and end the process."""
    parser = argparse.ArgumentParser(prog="manage.py reset", description=HELP)
    parser.add_argument("--data", metavar="DIR", help="the directory that holds everything (default: .archipel)")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    refuse_foreign(data)
    stop_on_signals()
    try:
        if not options.yes and not _agreed(data):
            refuse("nothing was taken away")
        raise SystemExit(0 if reset(data) else 1)
    except Stop:
        raise SystemExit(CODE) from None


def _agreed(data: Path) -> bool:
    """Ask for the name of what goes: a yes is typed too easily."""
    if not sys.stdin.isatty():
        refuse("nobody is there to ask: give --yes")
    say(f"Everything in {data} goes: {_contents(data)}.")
    sys.stderr.write(f"Type {data.name} to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == data.name


def _contents(data: Path) -> str:
    services = [path for path in (data / "services").glob("*") if not path.name.startswith(".")]
    count = "1 service" if len(services) == 1 else f"{len(services)} services"
    return f"the portal's database and keys, {count} with all data and backups"


def reset(data: Path) -> bool:
    """Stop what runs and remove what is there. Return whether nothing is left; cut off, it can be done again."""
    if not devcluster.stop(ROOT, data) or not down(data):
        return False
    with own(data, NO_PORT, half_restored=True):
        if left := left_of(data):
            say(f"still there: {left}")
            return False
        _remove_contents(data)
    files.remove_tree(data / "run")
    files.remove_tree(run_directory(data))
    ports.forget(data)
    _remove_empty(data)
    say(f"{data} is gone" if not data.exists() else f"{data} is empty")
    return True


def _remove_contents(data: Path) -> None:
    """Remove all but the lock that is held; keys go last, since a directory without them is taken for a stranger's."""
    last = ["home", "keys"]
    names = [entry.name for entry in os.scandir(data) if entry.name not in ("run", *last)]
    for name in [*sorted(names), *last]:
        path = data / name
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            files.remove_tree(path)


def _remove_empty(data: Path) -> None:
    """Remove the directory itself, where it is ours to remove."""
    try:
        data.rmdir()
    except OSError:
        return
