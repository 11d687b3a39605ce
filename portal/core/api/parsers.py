"""Reads JSON bodies without guessing: one object, UTF-8, no doubled keys, nothing that a database can't keep."""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from portal.core.errors import FieldError, Problem, escape, invalid

MOST_BYTES = 1024 * 1024
DEEPEST = 32
LARGEST_INTEGER = 2**63


class StrictJSONParser(BaseParser):
    """``application/json`` holding one object. Raises Problem: 400, 413, 415 or 422, saying what is wrong."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the object in the body."""
        _require_utf8(media_type or "")
        raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            detail = _("A body has at most %(most)d bytes.") % {"most": MOST_BYTES}
            raise Problem("too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return _object(_loads(_text(raw)))


def _require_utf8(media_type: str) -> None:
    charset = media_type.lower().partition("charset=")[2].strip("\" '")
    if charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMediaType(media_type, _("Send JSON as UTF-8."))


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _malformed(_("The body is no UTF-8 at byte %(position)d.") % {"position": error.start}) from error


def _loads(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_no_doubles,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        raise _malformed(_("The body is no JSON at line %(line)d, column %(column)d.") % where) from error
    except RecursionError as error:
        raise _too_deep() from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(FieldError("", "not_an_object", _("The body has to be one JSON object.")))
    _check(value, "", 1)
    return value


def _check(value: Any, at: str, depth: int) -> None:
    """Refuse nesting beyond sense, and text that neither UTF-8 nor the database can hold."""
    if depth > DEEPEST:
        raise _too_deep()
    if isinstance(value, str):
        _check_text(value, at)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key, at)
            _check(inner, f"{at}/{escape(key)}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check(inner, f"{at}/{index}", depth + 1)
    elif isinstance(value, int | float):
        _check_number(value, at)


def _check_number(value: float, at: str) -> None:
    """Refuse what no column and no other program holds, at its place. JSON itself knows neither NaN nor Infinity."""
    is_whole = isinstance(value, int)
    if not math.isfinite(value) or (is_whole and not -LARGEST_INTEGER <= value < LARGEST_INTEGER):
        detail = _("Write a number between -2^63 and 2^63; NaN and Infinity are no JSON.")
        raise _malformed(detail, FieldError(at, "out_of_range", detail))


def _check_text(text: str, at: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise invalid(
            FieldError(at, "invalid_text", _("This text has a character that can't be kept (NUL or half a pair)."))
        )


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _value in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise _malformed(_("The key “%(key)s” is there twice in one object.") % {"key": double[:80]})
    return found


def _integer(text: str) -> int:
    """Read an integer; the length of a longer one is no reason to spend time on it, it is out of range anyway."""
    return int(text) if len(text) <= 20 else LARGEST_INTEGER


def _malformed(detail: str, *errors: FieldError) -> Problem:
    return Problem("malformed_request", HTTPStatus.BAD_REQUEST, detail, errors=errors)


def _too_deep() -> Problem:
    return _malformed(_("The body is nested deeper than %(most)d levels.") % {"most": DEEPEST})
