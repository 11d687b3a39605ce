"""Reading an instance's logs for people: newest lines of the engine and of its commands, without ANSI and secrets."""

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from portal.clusters.backends.base import LogLine
from portal.clusters.backends.local import render

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
_STAMP = re.compile(r"^\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,6})?) ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?")
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
    lines = [*_engine_lines(directory), *_run_lines(directory)]
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


def _engine_lines(directory: Path) -> Iterator[LogLine]:
    at: datetime.datetime | None = None
    for text in _last_lines(directory / "engine.log.1", directory / "engine.log"):
        at = stamp(text) or at  # a line without a time belongs to the one before
        yield LogLine(at, "engine", text)


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
    match = _STAMP.match(text)
    if match is None:
        return None
    date, time, zone = match.groups()
    offset = "+00:00" if zone in (None, "Z", "UTC", "GMT") else zone
    try:
        return datetime.datetime.fromisoformat(f"{date}T{time.replace(',', '.')}{offset}")
    except ValueError:
        return None
