"""Reading an instance's logs for people: newest lines of its processes and commands, without ANSI and secrets.

A companion's lines have its name as their source, those of the main process ``engine``.
"""

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from portal.clusters.backends.base import LogLine
from portal.clusters.backends.local import render

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
_CLOCK = r"(\d\d:\d\d:\d\d(?:[.,]\d{1,6})?)"
_STAMP = re.compile(rf"^(?:\d+:[A-Z] )?\[?(\d{{4}})[-./](\d\d)[-./](\d\d)[T ]{_CLOCK} ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?")
_VALKEY = re.compile(rf"^\d+:[A-Z] (\d\d) ([A-Z][a-z]{{2}}) (\d{{4}}) {_CLOCK}")  # its own format, for want of another
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST = 4000
_MOST_BYTES = 4 << 20


def tail(
    directory: Path,
    secrets: Mapping[str, Mapping[str, str]],
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    limit: int,
) -> list[LogLine]:
    """Return the newest ``limit`` lines between two times, oldest first."""
    lines = [*_process_lines(directory / "engine.log", "engine"), *_run_lines(directory)]
    for path in sorted(directory.glob("companion-*.log")):
        lines += _process_lines(path, path.stem.removeprefix("companion-"))
    lines.sort(key=lambda line: line.at or datetime.datetime.min.replace(tzinfo=datetime.UTC))
    chosen = [line for line in lines if _within(line.at, since, until)][-limit:]
    return [LogLine(line.at, line.source, _cut(render.mask(clean(line.text), secrets))) for line in chosen]


def clean(text: str) -> str:
    """Return text that shows nothing but itself."""
    return _ANSI.sub("", text)


def _cut(text: str) -> str:
    """Return the beginning of a very long line; cut after masking, or half a secret would be left."""
    return text[:_LONGEST]


def _within(at: datetime.datetime | None, since: datetime.datetime | None, until: datetime.datetime | None) -> bool:
    if at is None:
        return since is None
    return (since is None or at >= since) and (until is None or at <= until)


def _process_lines(path: Path, source: str) -> Iterator[LogLine]:
    at: datetime.datetime | None = None
    for text in _last_lines(Path(f"{path}.1"), path):
        at = stamp(text) or at  # a line without a time belongs to the one before
        yield LogLine(at, source, text)


def _run_lines(directory: Path) -> Iterator[LogLine]:
    for text in _last_lines(directory / "runs.log"):
        try:
            entry = json.loads(text)
            yield LogLine(datetime.datetime.fromisoformat(entry["at"]), str(entry["source"]), str(entry["text"]))
        except (ValueError, KeyError, TypeError):
            continue


def _last_lines(*files: Path) -> Iterable[str]:
    """Return the lines of some files, at most the last 4 MB of each."""
    for path in files:
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _MOST_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            continue
        yield from (text.partition("\n")[2] if size > _MOST_BYTES else text).splitlines()


def stamp(text: str) -> datetime.datetime | None:
    """Return the time that a line begins with; without a zone it is UTC, which engines are told to use."""
    if match := _STAMP.match(text):
        year, month, day, clock, zone = match.groups()
    elif match := _VALKEY.match(text):
        day, name, year, clock = match.groups()
        month, zone = f"{_MONTHS.index(name) + 1 if name in _MONTHS else 0:02}", None
    else:
        return None
    offset = "+00:00" if zone in (None, "Z", "UTC", "GMT") else zone
    try:
        return datetime.datetime.fromisoformat(f"{year}-{month}-{day}T{clock.replace(',', '.')}{offset}")
    except ValueError:
        return None
