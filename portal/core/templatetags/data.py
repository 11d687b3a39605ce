"""The tags that draw data: prices, figures, charts, steps, events and logs. Part of the built-in ``ui`` library."""

# ruff: noqa: A002 - arguments are named as the HTML attributes that they become

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import template
from django.utils.translation import gettext as _

from portal.core.templatetags import formats, graphs, icons, states

register = template.Library()


@register.inclusion_tag("components/price.html")
def price(value: Any, stacked: bool = False) -> dict[str, Any]:
    """Draw a Price (``hourly``, ``monthly_estimate``, ``currency``): the hour binds, the month is an estimate."""
    currency = str(formats.read(value, "currency", "EUR"))
    amount = formats.decimal(formats.read(value, "hourly", 0))
    month = formats.money(formats.read(value, "monthly_estimate", 0), currency)
    return {"free": not amount, "hourly": formats.hourly(amount, currency), "month": month, "stacked": stacked}


@register.inclusion_tag("components/stat.html")
def stat(label: str, value: Any, unit: str = "", hint: str = "", values: Sequence[graphs.Value] = ()) -> dict[str, Any]:
    """Draw one figure, inside ``<dl class="stats">``; ``values`` adds a sparkline."""
    return {"label": label, "value": value, "unit": unit, "hint": hint, "values": values}


@register.inclusion_tag("components/meter.html")
def meter(value: Any, maximum: Any, label: str) -> dict[str, Any]:
    """Draw how full something is; from 80 % on it warns, from 95 % on it alarms."""
    limit = formats.decimal(maximum)
    share = float(formats.decimal(value) / limit) * 100 if limit else 0.0
    tone = "danger" if share >= 95 else "warning" if share >= 80 else "info"
    return {"percent": round(min(share, 100)), "label": label, "tone": tone}


@register.inclusion_tag("components/sparkline.html")
def sparkline(values: Sequence[graphs.Value], label: str = "") -> dict[str, Any]:
    """Draw a small line without axes; ``label`` says in words what it shows."""
    low, high = graphs.bounds(values)
    return {"pieces": graphs.pieces(values, 80, 24, low, high), "label": label}


@register.inclusion_tag("components/chart.html")
def chart(id: str, title: str, times: Sequence[Any], series: Sequence[Any], unit: str = "count") -> dict[str, Any]:
    """Draw series over time: SVG by the server, uPlot where JavaScript runs, and the numbers in a table.

    ``times``: datetimes; ``series``: items with ``name`` and ``values`` as long as ``times`` (None is a gap);
    ``unit``: percent, bytes, count, per_second, seconds, money.
    """
    values = [
        list(formats.read(item, "values", ())) if not isinstance(item, Mapping) else list(item["values"])
        for item in series
    ]
    low, high = graphs.bounds((value for row in values for value in row), unit=unit)
    names = [str(formats.read(item, "name")) for item in series]
    lines = [
        graphs.Line(name, index % icons.HUES + 1, graphs.pieces(row, 600, 160, low, high))
        for index, (name, row) in enumerate(zip(names, values, strict=True))
    ]
    rows = list(zip([formats.moment(time) for time in times], zip(*values, strict=True), strict=True))
    return {"id": id, "title": title, "lines": lines, "rows": rows, "unit": unit, "names": names}


@register.inclusion_tag("components/steps.html")
def steps(items: Iterable[Any], label: str = "") -> dict[str, Any]:
    """Draw an operation's steps: ``name`` or ``title``, ``state``, ``message``, ``started_at``, ``finished_at``."""
    return {"items": [_step(item) for item in items], "label": label or _("Progress")}


def _step(item: Any) -> dict[str, Any]:
    started, ended = (
        formats.moment(formats.read(item, "started_at", None)),
        formats.moment(formats.read(item, "finished_at", None)),
    )
    name = str(formats.read(item, "state", "waiting"))
    title = formats.read(item, "title") or str(formats.read(item, "name")).replace("_", " ").capitalize()
    took = (ended - started).total_seconds() if started and ended else None
    shown = {"title": title, "state": name, "word": states.step_word(name), "message": formats.read(item, "message")}
    return shown | {"since": started if name == "running" else None, "took": took}


@register.inclusion_tag("components/timeline.html")
def timeline(events: Iterable[Any], label: str = "") -> dict[str, Any]:
    """Draw events, newest first: ``message``, ``at``, and may have ``tone`` or ``severity``, ``icon``, ``detail``."""
    return {"events": [_event(event) for event in events], "label": label or _("Events")}


def _event(event: Any) -> dict[str, Any]:
    severity = str(formats.read(event, "severity"))
    tone = str(formats.read(event, "tone")) or {"warning": "warning", "error": "danger"}.get(severity, "neutral")
    shown = str(formats.read(event, "icon")) or (
        "circle-dot" if tone == "neutral" else states.TONE_ICONS.get(tone, "info")
    )
    return {
        "message": formats.read(event, "message"),
        "at": formats.read(event, "at", None),
        "tone": tone,
        "icon": shown,
        "detail": formats.read(event, "detail"),
    }


@register.inclusion_tag("components/log.html")
def log(lines: Iterable[Any], id: str = "log", label: str = "") -> dict[str, Any]:
    """Draw log lines: text, or ``text``, ``at`` and ``level`` (error, warning); app.js scrolls to the end."""
    rows = [{"text": line} if isinstance(line, str) else line for line in lines]
    return {"lines": rows, "id": id, "label": label or _("Log")}
