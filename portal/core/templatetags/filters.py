"""The filters: numbers, sizes, amounts and times by locale. ``ui`` takes them in, so they are built in too."""

import json
from typing import Any

from django import template
from django.utils.translation import gettext as _

from portal.core.templatetags import formats, states

register = template.Library()


@register.filter
def duration(value: Any) -> str:
    """Write seconds or a timedelta in words: ``3 min 20 s``."""
    return formats.duration(value)


@register.filter
def about(value: Any) -> str:
    """Write an estimate in seconds in words: ``2 min``."""
    return formats.about(value)


@register.filter
def money(value: Any, currency: str = "EUR") -> str:
    """Write an amount: ``15.55 EUR``."""
    return formats.money(value, currency)


@register.filter
def hourly(value: Any, currency: str = "EUR") -> str:
    """Write a price per hour: ``0.0213 EUR/h``."""
    return formats.hourly(value, currency)


@register.filter
def mib(value: Any) -> str:
    """Write MiB in their best unit: ``8 GiB``."""
    return formats.size(value, "MiB")


@register.filter
def gib(value: Any) -> str:
    """Write GiB in their best unit: ``2 TiB``."""
    return formats.size(value, "GiB")


@register.filter
def filesize(value: Any) -> str:
    """Write bytes in their best unit: ``23.4 MiB``."""
    return formats.size(value, "B")


@register.filter
def number(value: Any, places: int = 2) -> str:
    """Write a number by locale without trailing zeros: ``0.5``, ``4``."""
    return formats.plain(formats.decimal(value), places)


@register.filter
def metric(value: Any, unit: str) -> str:
    """Write a sample in its metric's unit."""
    if value is None:
        return "–"
    if unit == "bytes":
        return formats.size(value)
    if unit == "seconds":
        return formats.duration(value)
    if unit == "money":
        return formats.money(value)
    text = formats.plain(formats.decimal(value), 2)
    return {"percent": _("%(n)s %%"), "per_second": _("%(n)s/s")}.get(unit, "%(n)s") % {"n": text}


@register.filter
def message_tone(tags: str) -> str:
    """Return the tone of a Django message by its tags."""
    return next((states.MESSAGE_TONES[tag] for tag in tags.split() if tag in states.MESSAGE_TONES), "info")


@register.filter
def tone_icon(tone: str) -> str:
    """Return the icon of a tone."""
    return states.TONE_ICONS.get(tone, "info")


@register.filter
def as_json(value: Any) -> str:
    """Write JSON for a data attribute (escaped by the template)."""
    return json.dumps(value, default=str)
