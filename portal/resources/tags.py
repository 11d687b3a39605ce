"""Tags: a customer's own words on a service, for filters and the bill."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from portal.core.errors import FieldError, escape

WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
MOST = 64
RESERVED = "archipel."


def errors(tags: Mapping[str, Any]) -> list[FieldError]:
    """Say what is wrong with which tag."""
    if len(tags) > MOST:
        return [FieldError("/tags", "too_many", _("A service has at most %(most)d tags.") % {"most": MOST})]
    return [
        FieldError(f"/tags/{escape(key[:80])}", "invalid_tag", reason)
        for key, value in tags.items()
        if (reason := _reason(key, value))
    ]


def _reason(key: str, value: Any) -> str:
    if key.startswith(RESERVED):
        return _("Keys that begin with %(prefix)s are the platform's own.") % {"prefix": RESERVED}
    if not WORD.fullmatch(key):
        return _("Use up to 63 letters, digits, hyphens, underscores and dots; begin and end with a letter or digit.")
    if not isinstance(value, str) or (value and not WORD.fullmatch(value)):
        return _("A value is a text of up to 63 letters, digits, hyphens, underscores and dots, or empty.")
    return ""
