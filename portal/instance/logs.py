"""Keeps log files small. They are copied and cut, not renamed: the processes that write keep their file open."""

import os
import shutil
from pathlib import Path

LARGEST = 10 * 1024 * 1024  # bytes
GENERATIONS = 3
LOOK_EVERY = 30.0  # seconds


def rotate(directory: Path, largest: int = LARGEST) -> None:
    """Rotate each ``*.log`` that has grown too large to ``*.log.1`` and so on. Writers must have it open to append."""
    for log in directory.glob("*.log"):
        if log.stat().st_size > largest:
            _shift(log)
            shutil.copy2(log, _numbered(log, 1))
            os.truncate(log, 0)


def _shift(log: Path) -> None:
    for number in range(GENERATIONS - 1, 0, -1):
        if _numbered(log, number).exists():
            _numbered(log, number).replace(_numbered(log, number + 1))


def _numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, for a message that explains a failure."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
