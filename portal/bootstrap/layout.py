"""The data directory: where it is, its directories and their modes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from portal.bootstrap.account import Account
from portal.bootstrap.paths import data_directory, digest
from portal.bootstrap.say import refuse

REFUGE = Path("/var/lib/archipel")
MODES = {  # others may pass through to public/ (the CA they verify services with), and see nothing else
    ".": 0o711,
    "public": 0o755,
    "keys": 0o700,
    "postgres": 0o700,
    "services": 0o700,
    "ca": 0o700,
    "log": 0o700,
    "run": 0o700,
    "home": 0o700,
}


def settle(root: Path, account: Account) -> Path:
    """Return the data directory for a command started as root: given, or in the tree, or where the account can go.

    What exists already wins, so that it is the same directory at every start.
    """
    usual = data_directory(root)
    refuge = REFUGE / digest(root)
    if os.environ.get("ARCHIPEL_DATA"):
        return usual
    if refuge.exists():
        return refuge
    return usual if usual.exists() or account.can((root, os.X_OK)) == [True] else refuge


def lay_out(data: Path, owner: Account | None = None) -> None:
    """Make what is missing of a data directory and set its modes. Runs as ``owner``, or as root on its behalf."""
    refuse_foreign(data)
    if not data.parent.is_dir():
        data.parent.mkdir(parents=True, mode=0o755)
    for name, mode in MODES.items():
        _directory(data / name, mode, owner)


def _directory(path: Path, mode: int, owner: Account | None) -> None:
    path.mkdir(exist_ok=True)
    if owner and path.stat().st_uid != owner.uid:
        os.chown(path, owner.uid, owner.gid)
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def refuse_foreign(data: Path) -> None:
    """Refuse a directory that holds other things: one day somebody types ``--data /``."""
    try:
        names = {entry.name for entry in os.scandir(data)}
    except FileNotFoundError:
        return
    except OSError as error:
        refuse(f"{data} can't be read ({error.strerror}): choose another directory with --data.")
    if names and not names & {"keys", "home"}:
        refuse(f"{data} holds other things than an Archipel instance: give an empty or a new directory with --data.")
