"""Progress and refusals on stderr, in plain short lines; stdout belongs to the command."""

from __future__ import annotations

import contextlib
import sys
from typing import NoReturn


def say(line: str) -> None:
    """Print one line of progress. Nothing fails for want of a reader, or of room in the log that it goes to."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def refuse(line: str) -> NoReturn:
    """End with a message that says what is wrong and what to do about it."""
    say(f"archipel: {line}")
    raise SystemExit(1)
