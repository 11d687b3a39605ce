"""Makes sure that the unprivileged account can reach the project's tree and the data directory."""

from __future__ import annotations

import os
from pathlib import Path

from portal.bootstrap import acl
from portal.bootstrap.account import Account
from portal.bootstrap.say import refuse, say


def open_way(root: Path, data: Path, account: Account) -> None:
    """Grant the account what it lacks: search on the directories above both, and search and list on the root itself."""
    above = [place for place in dict.fromkeys([*reversed(root.parents), *reversed(data.parents)]) if place.is_dir()]
    wishes = [*((place, acl.SEARCH) for place in above), (root, acl.SEARCH | acl.READ)]
    if not all(account.can(*wishes)):
        for place, permissions in wishes:  # one by one: each is out of sight until those above it are open
            _open(place, permissions, account)
    _check_readable(root, account)


def _open(place: Path, permissions: int, account: Account) -> None:
    if account.can((place, permissions)) == [False]:
        _grant(place, permissions, account)


def _grant(place: Path, permissions: int, account: Account) -> None:
    what = "pass through" if permissions == acl.SEARCH else "read"
    try:
        acl.grant(place, account.uid, permissions)
    except OSError as error:
        refuse(
            f"the account {account.name} has to {what} {place}, and an ACL can't be set there ({error.strerror}): "
            f"move the project and its data to an open place such as /srv, or run: chmod o+x {place}"
        )
    say(f"letting {account.name} {what} {place} (an ACL entry for this account alone)")


def _check_readable(root: Path, account: Account) -> None:
    files = [root / "manage.py", root / "portal" / "settings.py", root / "portal" / "core", root / "templates"]
    there = [file for file in files if file.exists()]
    if not all(account.can(*[(file, os.R_OK) for file in there])):
        refuse(f"the account {account.name} can't read the project's files. Run: chmod -R go+rX {root}")
