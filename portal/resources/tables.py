"""Parts written as a table, by hand or from a spreadsheet: a heading line, then one line per part."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from pydantic import TypeAdapter, ValidationError

from portal.core.errors import FieldError, invalid
from portal.core.offerings import ChildKind
from portal.core.specs import visible_fields
from portal.resources.actions.many import Wish

FIELD = "/rows"


def headings(kind: ChildKind) -> list[str]:
    """Return what the first line may say: ``name``, and the settings of the kind."""
    return ["name", *visible_fields(kind.spec)]


def wishes_in(text: str, kind: ChildKind) -> list[Wish]:
    """Read a table with commas, semicolons or tabs; an empty cell says nothing. Raises Problem naming the line."""
    lines = text.strip().splitlines()
    if not lines:
        raise invalid(FieldError(FIELD, "required", _("Give a heading and at least one line.")))
    reader = csv.DictReader(io.StringIO("\n".join(lines)), delimiter=_delimiter(lines[0]), restkey="", strict=True)
    try:
        _check(reader.fieldnames or [], kind)
        return list(_rows(reader, kind))
    except csv.Error as error:
        detail = _("Line %(line)d can't be read: %(why)s.") % {"line": reader.line_num, "why": error}
        raise invalid(FieldError(FIELD, "invalid", detail)) from error


def _delimiter(heading: str) -> str:
    return next((mark for mark in (";", "\t") if mark in heading), ",")


def _check(found: Any, kind: ChildKind) -> None:
    known = headings(kind)
    unknown = [name for name in found if name.strip() not in known]
    if "name" not in [name.strip() for name in found] or unknown:
        detail = _("The first line names the columns: name, and any of %(known)s.") % {"known": ", ".join(known[1:])}
        raise invalid(FieldError(FIELD, "invalid_heading", detail))


def _rows(reader: "csv.DictReader[str]", kind: ChildKind) -> Iterator[Wish]:
    for row in reader:
        if "" in row or None in row.values():
            detail = _("Line %(line)d has not as many cells as the heading.") % {"line": reader.line_num}
            raise invalid(FieldError(FIELD, "invalid", detail))
        cells = {name.strip(): value.strip() for name, value in row.items()}
        name = cells.pop("name")
        yield Wish(name, {field: _typed(kind, field, text) for field, text in cells.items() if text})


def _typed(kind: ChildKind, field: str, text: str) -> Any:
    """Return what a cell means as a value of its field; one that means nothing stays text, for the action to refuse."""
    annotation: Any = kind.spec.model_fields[field].annotation
    try:
        return TypeAdapter(annotation).validate_strings(text)
    except ValidationError:
        return text


def told_by_line(errors: tuple[FieldError, ...]) -> str:
    """Say what an action found wrong with the entries of a table, by its lines."""
    return " ".join(f"{_line(error.pointer)}{error.detail}" for error in errors[:10])


def _line(pointer: str) -> str:
    _root, _put, *rest = pointer.split("/")
    if not rest or not rest[0].isdigit():
        return ""
    words = {"line": int(rest[0]) + 2, "field": rest[-1] if len(rest) > 1 else ""}
    return _("Line %(line)d, %(field)s: ") % words
