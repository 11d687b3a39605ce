"""Secrets at rest: encrypted under versioned keys that are not ``SECRET_KEY`` and not in the database (DESIGN 5).

A sealed text is ``v<key>.<Fernet token>``. ``manage.py rotatekeys`` makes a key and seals everything anew under it;
until then the older ones still open what they sealed. A column that holds sealed text is a ``SealedText``, which is how
the rotation finds it.
"""

import functools
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField  # has no type parameter at run time
_SEALED = re.compile(r"v(\d{1,9})\.([A-Za-z0-9_\-=]+)")
Keys = dict[int, str]  # version -> Fernet key


class Unreadable(Exception):
    """A sealed text that none of the keys opens: cut off, changed, or sealed under a key that is gone."""


class SealedText(TextField):
    """A column of sealed text. Rows hold what ``seal`` returned; nothing opens it on the way out of the database."""


def seal(text: str) -> str:
    """Return ``text`` so that only holders of the newest key can read it."""
    keys = _keys()
    newest = max(keys)
    return f"v{newest}.{Fernet(keys[newest]).encrypt(text.encode()).decode('ascii')}"


def unseal(sealed: str) -> str:
    """Return what was sealed. Raises Unreadable."""
    found = _SEALED.fullmatch(sealed)
    key = _keys().get(int(found[1])) if found else None
    if found is None or key is None:
        raise Unreadable("no key for this text")
    try:
        return Fernet(key).decrypt(found[2].encode("ascii")).decode()
    except InvalidToken as error:
        raise Unreadable("the text was changed or its key is another one") from error


def version_of(sealed: str) -> int:
    """Return the version of the key that a text was sealed under. Raises Unreadable."""
    found = _SEALED.fullmatch(sealed)
    if found is None:
        raise Unreadable("not a sealed text")
    return int(found[1])


def newest() -> int:
    """Return the version that ``seal`` uses now."""
    return max(_keys())


def add_key() -> int:
    """Make a key that ``seal`` uses from now on and return its version. Every process sees it at its next call."""
    keys = _keys()
    keys = {**keys, max(keys) + 1: Fernet.generate_key().decode("ascii")}
    _write(_file(), keys)
    return max(keys)


def drop_keys_below(version: int) -> list[int]:
    """Forget older keys, and return their versions; what is still sealed under one can't be read again."""
    keys = _keys()
    gone = sorted(old for old in keys if old < version)
    _write(_file(), {number: key for number, key in keys.items() if number >= version})
    return gone


def _file() -> Path:
    return Path(settings.ENCRYPTION_KEYS)


def _keys() -> Keys:
    """Return the keys as they are on disk now; the first call ever makes one."""
    file = _file()
    try:
        return _read(file, *_stamp(file))
    except FileNotFoundError:
        _write(file, {1: Fernet.generate_key().decode("ascii")}, new=True)
        return _read(file, *_stamp(file))


def _stamp(file: Path) -> tuple[int, int]:
    """Return what differs for each content: a time alone may be the same for two that were written at once."""
    status = file.stat()
    return status.st_ino, status.st_mtime_ns


@functools.lru_cache(maxsize=2)
def _read(file: Path, _inode: int, _changed: int) -> Keys:
    """Read the file, once for each time that it was replaced."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="ascii"))
    return {int(version): str(key) for version, key in found.items()}


def _write(file: Path, keys: Keys, *, new: bool = False) -> None:
    """Replace the file in one step; a ``new`` one gives way to that of a process that was faster."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        json.dump({str(version): key for version, key in sorted(keys.items())}, out)
        out.flush()
        os.fsync(out.fileno())
    if not new:
        draft.replace(file)
        return
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
