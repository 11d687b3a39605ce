"""The unprivileged account that everything runs as when a command was started as root."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.bootstrap.say import refuse, say

NAME = "archipel"


@dataclass(frozen=True)
class Account:
    """A passwd entry: initdb looks its user up, so a bare number won't do."""

    name: str
    uid: int
    gid: int

    def can(self, *wishes: tuple[Path, int]) -> list[bool]:
        """Return for each (path, ``os.R_OK | os.W_OK | os.X_OK``) whether the account has that access, way included."""
        return list(self.ask(lambda: [os.access(path, mode) for path, mode in wishes]))

    def ask(self, question: Callable[[], Any]) -> Any:
        """Return the answer (as JSON) that a process of this account gets."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._answer(question, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        return json.loads(answer)

    def _answer(self, question: Callable[[], Any], writer: int) -> None:
        try:
            self.become()
            os.write(writer, json.dumps(question()).encode())
        finally:
            os._exit(0)

    def become(self) -> None:
        """Give up root for good."""
        os.setgroups([self.gid])
        os.setgid(self.gid)
        os.setuid(self.uid)


def unprivileged() -> Account:
    """Return the account ``archipel``, made if missing, else ``nobody``."""
    found = _look_up(NAME) or (_make() and _look_up(NAME)) or _look_up("nobody")
    if not found or found.uid == 0:
        refuse("started as root, but there is no unprivileged account to drop to: make one named archipel.")
    return found


def _look_up(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make() -> bool:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not useradd:
        return False
    say(f"making the unprivileged account {NAME}")
    options = [
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
    ]
    return subprocess.run([useradd, *options, NAME], check=False).returncode in (0, 9)  # 9: another process was faster
