"""Numbers, sizes, amounts and times as text, by locale. The filters and tags of ``ui`` and e-mail texts use them."""

import datetime
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

Moment = datetime.datetime | str | None
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def decimal(value: object) -> Decimal:
    """Read a number; what is none counts as zero, as a template must not fail for it."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)


def plain(value: Decimal, places: int) -> str:
    """Write a number with at most ``places`` decimals and no trailing zeros."""
    short = round(value, places).normalize()
    exponent = short.as_tuple().exponent
    return str(number_format(short, decimal_pos=max(0, -exponent if isinstance(exponent, int) else 0)))


def money(amount: object, currency: str = "EUR", places: int = 2) -> str:
    """Write an amount with its currency code: ``15.55 EUR``."""
    text = number_format(round(decimal(amount), places), decimal_pos=places, force_grouping=True)
    return pgettext("amount and currency", "%(amount)s %(currency)s") % {"amount": text, "currency": currency}


def hourly(amount: object, currency: str = "EUR") -> str:
    """Write a price per hour with four decimals, six where four would say nothing."""
    value = decimal(amount)
    places = 4 if value >= Decimal("0.001") or not value else 6
    return _("%(amount)s/h") % {"amount": money(value, currency, places)}


def size(value: object, unit: str = "B") -> str:
    """Write a number of ``unit`` (B, MiB, GiB …) in the largest unit that keeps it at 1 or more."""
    number, index = decimal(value), UNITS.index(unit)
    while abs(number) >= 1024 and index < len(UNITS) - 1:
        number, index = number / 1024, index + 1
    return f"{plain(number, 1 if number < 100 else 0)}\N{NO-BREAK SPACE}{UNITS[index]}"


def duration(seconds: object) -> str:
    """Write seconds in the two units that matter: ``45 s``, ``3 min 20 s``, ``2 h 05 min``, ``4 d 3 h``."""
    total = int(seconds.total_seconds()) if isinstance(seconds, datetime.timedelta) else int(decimal(seconds))
    minutes, second = divmod(max(0, total), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return _("%(d)d d %(h)d h") % {"d": days, "h": hour}
    if hours:
        return _("%(h)d h %(m)02d min") % {"h": hours, "m": minute}
    if minutes:
        return _("%(m)d min %(s)02d s") % {"m": minutes, "s": second}
    return _("%(s)d s") % {"s": second}


def about(seconds: object) -> str:
    """Write an estimate of seconds no more exactly than it is meant: ``45 s``, ``2 min``, ``2 h 05 min``."""
    total = int(decimal(seconds))
    if 120 <= total < 7200:
        return _("%(m)d min") % {"m": round(total / 60)}
    return _("%(s)d s") % {"s": total} if total < 120 else duration(total)


def moment(value: Moment) -> datetime.datetime | None:
    """Read a time or its ISO form; what is neither is None."""
    found = parse_datetime(value) if isinstance(value, str) else value
    if found is not None and timezone.is_naive(found):
        found = timezone.make_aware(found, datetime.UTC)
    return found


def ago(value: datetime.datetime, now: datetime.datetime) -> str:
    """Write how far a time is away: ``3 minutes ago``, ``in 2 days``. app.js keeps it up to date in the same words."""
    seconds = int((now - value).total_seconds())
    count, past, future = _distance(abs(seconds))
    if not count:
        return _("just now")
    return (past if seconds > 0 else future) % {"n": count}


def _distance(seconds: int) -> tuple[int, str, str]:
    if seconds < 45:
        return 0, "", ""
    if seconds < 45 * 60:
        n = max(1, round(seconds / 60))
        return (
            n,
            ngettext("%(n)d minute ago", "%(n)d minutes ago", n),
            ngettext("in %(n)d minute", "in %(n)d minutes", n),
        )
    if seconds < 22 * 3600:
        n = max(1, round(seconds / 3600))
        return n, ngettext("%(n)d hour ago", "%(n)d hours ago", n), ngettext("in %(n)d hour", "in %(n)d hours", n)
    if seconds < 26 * 86400:
        n = max(1, round(seconds / 86400))
        return n, ngettext("%(n)d day ago", "%(n)d days ago", n), ngettext("in %(n)d day", "in %(n)d days", n)
    if seconds < 320 * 86400:
        n = max(1, round(seconds / (30.44 * 86400)))
        return n, ngettext("%(n)d month ago", "%(n)d months ago", n), ngettext("in %(n)d month", "in %(n)d months", n)
    n = max(1, round(seconds / (365.25 * 86400)))
    return n, ngettext("%(n)d year ago", "%(n)d years ago", n), ngettext("in %(n)d year", "in %(n)d years", n)


def read(item: Any, name: str, default: Any = "") -> Any:
    """Read a key or an attribute, so that components take dicts, dataclasses and models alike."""
    found = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
    return default if found is None else found
