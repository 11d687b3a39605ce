"""Icons: the SVG files of ``templates/icons``, drawn inline and kept in memory."""

import re
import zlib
from functools import cache, lru_cache

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
FALLBACK = "box"
HUES = 6
KEPT = 1000  # drawn icons that a process keeps


@cache
def exists(name: str) -> bool:
    """Whether an icon of that name is vendored; checks of declarations ask this."""
    return bool(NAME.fullmatch(name)) and (settings.BASE_DIR / "templates" / "icons" / f"{name}.svg").is_file()


@cache
def _drawing(name: str) -> str:
    """Return the file without its opening tag's end, so that attributes can be added."""
    path = settings.BASE_DIR / "templates" / "icons" / f"{name if exists(name) else FALLBACK}.svg"
    text: str = path.read_text(encoding="utf-8").strip()
    return text.removeprefix('<svg xmlns="http://www.w3.org/2000/svg"')


@lru_cache(KEPT, typed=True)
def icon(name: str, *, title: str = "", css: str = "") -> SafeString:
    """Draw an icon: hidden from screen readers unless it has a title. A name that is not there draws a neutral box."""
    classes = f"icon {css}".strip()
    drawing = mark_safe(_drawing(name))  # noqa: S308 - our own vendored file
    if title:
        return format_html('<svg class="{}" role="img" aria-label="{}"{}', classes, title, drawing)
    return format_html('<svg class="{}" aria-hidden="true"{}', classes, drawing)


def hue(text: str) -> int:
    """Return the hue, 1 to 6, that a slug or a person always has."""
    return zlib.crc32(text.encode()) % HUES + 1


def initials(text: str) -> str:
    """Return one or two letters for a person or product: ``ada.lovelace@x`` is AL, ``postgresql`` is Po."""
    parts = [part for part in re.split(r"[\W_]+", text.split("@")[0]) if part]
    if not parts:
        return "?"
    return (parts[0][0] + parts[1][0]).upper() if len(parts) > 1 else parts[0][:2].capitalize()
