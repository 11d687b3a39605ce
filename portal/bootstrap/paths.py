"""Where an instance keeps its things. Standard library only: this runs before anything is installed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def data_directory(root: Path) -> Path:
    """Return the directory of all that an instance owns: ``$ARCHIPEL_DATA``, else ``.archipel`` in ``root``."""
    return Path(os.environ.get("ARCHIPEL_DATA") or root / ".archipel").absolute()


def run_directory(data: Path) -> Path:
    """Return the instance's 0700 directory for sockets; short, since a socket's path may have 107 bytes at most.

    Not under ``$TMPDIR``: a command typed in another shell has to find the sockets as well.
    """
    return Path("/tmp") / f"archipel-{digest(data)}"  # noqa: S108


def digest(path: Path) -> str:
    """Return ten hexadecimal digits that stand for a path."""
    return hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:10]
