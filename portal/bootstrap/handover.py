"""Hands an instance over to the unprivileged account: ownership, and the invoking user's package settings."""

from __future__ import annotations

import os
from pathlib import Path

from portal.bootstrap.account import Account
from portal.bootstrap.layout import lay_out, refuse_foreign
from portal.bootstrap.say import say

SETTINGS = (".config/pip/pip.conf", ".pip/pip.conf", ".npmrc", ".config/go/env")
FILES = (
    "PIP_CONFIG_FILE",
    "PIP_CERT",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "NPM_CONFIG_USERCONFIG",
)
DIRECTORIES = ("TMPDIR", "PIP_CACHE_DIR", "NPM_CONFIG_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


def hand_over(data: Path, account: Account) -> None:
    """Make the directory and all in it the account's. The tree is walked only where something is not."""
    refuse_foreign(data)
    if data.exists() and _foreign(data, account):
        say(f"handing {data} over to {account.name}")
        _change_owner(data, account)
    lay_out(data, account)


def _foreign(data: Path, account: Account) -> bool:
    """Look two levels deep: where a command of another account wrote, one of these is its own."""
    looked_at = [data, *data.iterdir(), *(data / "keys").glob("*"), *(data / "run").glob("*")]
    return any(path.lstat().st_uid != account.uid for path in looked_at)


def _change_owner(data: Path, account: Account) -> None:
    for directory, names, files in os.walk(data):
        for name in (".", *names, *files):
            path = os.path.join(directory, name)  # noqa: PTH118 - an instance may hold a great many files
            if os.lstat(path).st_uid != account.uid:
                os.lchown(path, account.uid, account.gid)


def take_settings_along(home: Path, account: Account) -> None:
    """Copy the invoking user's pip.conf and .npmrc, and any file that a variable names and the account can't read."""
    own = Path(os.environ.get("HOME", "/root"))
    for name in SETTINGS:
        _copy(own / name, home / name, account)
    for variable in FILES:
        given = os.environ.get(variable)
        if given and account.can((Path(given), os.R_OK)) == [False]:
            os.environ[variable] = str(home / "settings" / variable)
            _copy(Path(given), home / "settings" / variable, account)
    for variable in DIRECTORIES:
        given = os.environ.get(variable)
        if given and account.can((Path(given), os.W_OK | os.X_OK)) == [False]:
            del os.environ[variable]


def _copy(source: Path, target: Path, account: Account) -> None:
    """Copy as the account itself, so that nothing it could have put in the way is followed with root's rights."""
    try:
        content = source.read_text()
    except OSError:
        return
    account.ask(lambda: _write(target, content))


def _write(target: Path, content: str) -> bool:
    if target.is_file() and target.read_text() == content:
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(content)
    draft.replace(target)
    return True


def wear(account: Account, data: Path) -> None:
    """Become the account, with a home of its own inside the instance."""
    os.environ.update(HOME=str(data / "home"), USER=account.name, LOGNAME=account.name)
    account.become()
