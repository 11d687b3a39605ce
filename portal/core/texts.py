"""Free text that people write: which characters can't stand in it, and what to say of one that does."""

import unicodedata
from typing import Any

from django.utils.translation import gettext as _

from portal.core.errors import FieldError, escape

# They turn the reading order of all that follows, so that a name reads as another one.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NEVER, _LINES = frozenset({"Cc", "Cs", "Zl", "Zp"}), frozenset("\t\n\r")


def fault_of(text: str, *, lines: bool = False) -> str:
    """Say what is wrong with a text and what to do; empty where nothing is. ``lines``: several lines are right."""
    for character in text:
        if character in _TURNING or (unicodedata.category(character) in _NEVER and not (lines and character in _LINES)):
            words = _("Write it on one line of plain text: the character U+%(code)s can't stand here.")
            return words % {"code": f"{ord(character):04X}"}
    return ""


def errors(pointer: str, text: str, *, lines: bool = False) -> list[FieldError]:
    """Return the fault of a text as an error at its pointer, or none."""
    fault = fault_of(text, lines=lines)
    return [FieldError(pointer, "invalid_text", fault)] if fault else []


def errors_within(pointer: str, value: Any, *, lines: bool = False) -> list[FieldError]:
    """Return the faults of all texts in a JSON value, keys included, each at its own pointer (RFC 6901)."""
    if isinstance(value, str):
        return errors(pointer, value, lines=lines)
    if isinstance(value, dict):
        inner = [(escape(str(key)), item) for key, item in value.items()]
        of_keys = [error for key in value for error in errors(pointer, str(key))]
        return of_keys + [e for key, item in inner for e in errors_within(f"{pointer}/{key}", item, lines=lines)]
    if isinstance(value, list | tuple):
        return [e for n, item in enumerate(value) for e in errors_within(f"{pointer}/{n}", item, lines=lines)]
    return []
