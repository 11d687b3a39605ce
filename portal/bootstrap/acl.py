"""Lets one account pass through a directory that is closed to others, by a POSIX ACL written as the kernel stores it.

Wider modes would open the directory to everybody, and ``setfacl`` is not on every machine. Layout of the attribute:
linux/include/uapi/linux/posix_acl_xattr.h.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from pathlib import Path

ATTRIBUTE = "system.posix_acl_access"
VERSION = 2
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY_IN_PARTICULAR = 0xFFFFFFFF
SEARCH, READ = 1, 4


def grant(path: Path, uid: int, permissions: int) -> None:
    """Add ``permissions`` for one user to what a path's mode and ACL already allow. Raises OSError where it can't."""
    entries = _with_user(_read(path), uid, permissions)
    os.setxattr(path, ATTRIBUTE, encode(entries))


def encode(entries: list[tuple[int, int, int]]) -> bytes:
    """Return the attribute's value; the kernel wants the entries in the order of their tags and ids."""
    return struct.pack("<I", VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries, key=_order))


def decode(value: bytes) -> list[tuple[int, int, int]]:
    """Return the entries of an attribute's value."""
    return [tuple(entry) for entry in struct.iter_unpack("<HHI", value[4:])]


def _order(entry: tuple[int, int, int]) -> tuple[int, int]:
    return (entry[0], entry[2])


def _read(path: Path) -> list[tuple[int, int, int]]:
    try:
        return decode(os.getxattr(path, ATTRIBUTE))
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
    mode = stat.S_IMODE(path.stat().st_mode)
    return [
        (tag, mode >> shift & 7, NOBODY_IN_PARTICULAR) for tag, shift in ((USER_OBJ, 6), (GROUP_OBJ, 3), (OTHER, 0))
    ]


def _with_user(entries: list[tuple[int, int, int]], uid: int, permissions: int) -> list[tuple[int, int, int]]:
    """Return the entries with the user's, and with a mask that lets them count (and nothing that it held back)."""
    had = next((entry[1] for entry in entries if entry[0] == USER and entry[2] == uid), 0)
    mask = next((entry[1] for entry in entries if entry[0] == MASK), None)
    kept = [_limited(entry, mask) for entry in entries if entry[0] != MASK and (entry[0], entry[2]) != (USER, uid)]
    kept.append((USER, had | permissions, uid))
    widest = 0
    for tag, allowed, _ in kept:
        widest |= allowed if tag in (USER, GROUP, GROUP_OBJ) else 0
    return [*kept, (MASK, widest, NOBODY_IN_PARTICULAR)]


def _limited(entry: tuple[int, int, int], mask: int | None) -> tuple[int, int, int]:
    tag, allowed, identifier = entry
    return (tag, allowed & mask, identifier) if mask is not None and tag in (USER, GROUP, GROUP_OBJ) else entry
