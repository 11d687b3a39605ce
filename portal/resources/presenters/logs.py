"""Lines of a log as the page shows them: stripped of terminal codes, each with how serious it is."""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass

from portal.clusters.backends.base import LogLine

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]")
_ERROR = re.compile(r"\b(ERROR|FATAL|PANIC|CRITICAL|SEVERE)\b")
_WARNING = re.compile(r"\b(WARN|WARNING)\b")
LONGEST = 4_000  # characters of a line


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the ``log`` tag."""

    text: str
    at: datetime.datetime | None
    level: str = ""

    @property
    def stamp(self) -> str:
        return f"{self.at.isoformat(timespec='milliseconds')} " if self.at else ""


def lines_of(lines: Iterable[LogLine], text: str = "") -> list[Line]:
    """Return the lines that hold ``text``, in any case of letters."""
    wanted = text.casefold()
    clean = (Line(_ANSI.sub("", line.text)[:LONGEST], line.at, _level(line.text)) for line in lines)
    return [line for line in clean if wanted in line.text.casefold()]


def _level(text: str) -> str:
    if _ERROR.search(text):
        return "error"
    return "warning" if _WARNING.search(text) else ""
