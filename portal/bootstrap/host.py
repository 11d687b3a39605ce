"""Says plainly where Archipel can't run."""

from __future__ import annotations

import os
import sys

from portal.bootstrap.say import refuse

OLDEST = (3, 11)


def check_host() -> None:
    """Refuse anything but Linux on x86_64 with glibc: the packaged engines are built for that."""
    if not sys.platform.startswith("linux"):
        refuse(f"needs Linux; this is {sys.platform}. A Debian 12 machine, virtual or real, will do.")
    if os.uname().machine != "x86_64":
        refuse(f"needs an x86_64 processor; this one is {os.uname().machine}.")
    if not _glibc():
        refuse("needs the GNU C library, which Alpine and other musl systems lack. Debian 12 is what is tested.")


def _glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError):
        return False
