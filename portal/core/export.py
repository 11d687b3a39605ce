"""Files that people take along: CSV that a spreadsheet opens without obeying it, and JSON lines. Made line by line."""

import csv
import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

# A cell that begins with one of these is a formula to a spreadsheet (DESIGN 12); a quote before it makes it text.
COMMANDS = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """Takes what the writer of the standard library writes, and gives it back."""

    def write(self, text: str) -> str:
        return text


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return a heading and a line per row (RFC 4180). Tables and lists in a cell are JSON."""
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([cell(row.get(name)) for name in columns])


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return a line of JSON per row."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, default=plain, separators=(",", ":")) + "\n"


def cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet takes for a command."""
    if value is None or value == {} or value == []:
        return ""
    text = json.dumps(value, ensure_ascii=False, default=plain) if isinstance(value, dict | list) else plain(value)
    return f"'{text}" if text.startswith(COMMANDS) else text


def plain(value: Any) -> str:
    """Return a value that JSON does not know as text; times in UTC."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    return str(value)
