"""Samples for ``/styleguide/``: every component in every state, without a database. Loaded by that one template."""

import datetime
import math
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from django import forms, template
from django.utils import timezone

from portal.core.templatetags import states

register = template.Library()

HEALTH = ("healthy", "degraded", "unavailable", "unknown")
PSQL = 'psql "host=k3j9x2m7q4ab.db.example.eu port=5432 dbname=app \\\n  user=app sslmode=verify-full"'
PYTHON = 'import psycopg\n\nwith psycopg.connect(DATABASE_URL) as connection:\n    connection.execute("SELECT 1")'


class SampleForm(forms.Form):
    """A field of each kind; bound, it has an error beside most."""

    name = forms.RegexField(r"^[a-z][a-z0-9-]*$", max_length=63, help_text="Lower-case letters, digits and hyphens.")
    disk = forms.IntegerField(
        label="Disk", min_value=10, max_value=1000, initial=20, help_text="It can grow later, never shrink."
    )
    region = forms.ChoiceField(choices=[("fr-par", "Paris"), ("de-fra", "Frankfurt")])
    note = forms.CharField(label="Description", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    policy = forms.ChoiceField(
        label="When it is deleted",
        choices=[("bin", "Keep a final backup for 7 days"), ("wipe", "Wipe everything at once")],
        widget=forms.RadioSelect,
        initial="bin",
    )
    protected = forms.BooleanField(
        label="Protect against deletion", required=False, help_text="Must be switched off before deleting."
    )


def _form(theme: str, *, bound: bool) -> SampleForm:
    data = {"name": "Orders DB", "disk": "5", "region": "fr-par", "policy": "", "protected": "on"} if bound else None
    return SampleForm(data, auto_id=f"{theme}-{'bound' if bound else 'fresh'}-%s")


def _plans() -> list[SimpleNamespace]:
    rows = [
        ("free", "Free", "0.25", 512, 1, 1, 1, "0"),
        ("dev-2", "Developer 2", "1", 2048, 20, 1, 3, "0.0213"),
        ("ha-8", "High availability 8", "2", 8192, 100, 3, 14, "0.1644"),
    ]
    return [
        SimpleNamespace(
            plan=SimpleNamespace(
                slug=slug,
                name=name,
                cpu=Decimal(cpu),
                memory_mib=memory,
                disk_gib=disk,
                nodes=nodes,
                zones=nodes,
                backup_retention_days=days,
                summary="",
            ),
            price=_price(hourly),
        )
        for slug, name, cpu, memory, disk, nodes, days, hourly in rows
    ]


def _price(hourly: str) -> SimpleNamespace:
    amount = Decimal(hourly)
    return SimpleNamespace(hourly=amount, monthly_estimate=amount * 730, currency="EUR")


def _steps(now: datetime.datetime) -> list[dict[str, Any]]:
    at = [now - datetime.timedelta(seconds=seconds) for seconds in (95, 94, 71, 12)]
    return [
        {"name": "accepted", "state": "done", "started_at": at[0], "finished_at": at[1]},
        {"title": "Fetch PostgreSQL 17.10, 23 MB", "state": "done", "started_at": at[1], "finished_at": at[2]},
        {
            "title": "Start the primary",
            "state": "running",
            "started_at": at[3],
            "message": "Waiting for the first connection over TLS.",
        },
        {"title": "Create database and user", "state": "waiting"},
    ]


def _failed(now: datetime.datetime) -> list[dict[str, Any]]:
    at = [now - datetime.timedelta(seconds=seconds) for seconds in (400, 398, 8)]
    return [
        {"name": "accepted", "state": "done", "started_at": at[0], "finished_at": at[1]},
        {
            "title": "Restore the backup",
            "state": "failed",
            "started_at": at[1],
            "finished_at": at[2],
            "message": "The disk is full: 20 of 20 GiB. Resize to a larger plan; the restore goes on from there.",
        },
        {"title": "Check the data", "state": "skipped"},
    ]


def _chart(now: datetime.datetime) -> dict[str, Any]:
    times = [now - datetime.timedelta(minutes=60 - minute) for minute in range(61)]
    curve = [round(38 + 22 * math.sin(minute / 7) + 9 * math.sin(minute / 2.3), 1) for minute in range(61)]
    second = [round(18 + 9 * math.cos(minute / 9), 1) if minute not in range(30, 34) else None for minute in range(61)]
    return {
        "times": times,
        "series": [{"name": "Primary", "values": curve}, {"name": "Replica", "values": second}],
        "line": curve[::3],
    }


@register.simple_tag
def samples() -> dict[str, Any]:
    """Return what the style guide shows."""
    now = timezone.now()
    minute = datetime.timedelta(minutes=1)
    return {
        "themes": [
            {"name": name, "fresh": _form(name, bound=False), "bound": _form(name, bound=True)}
            for name in ("light", "dark")
        ],
        "states": [name for name in states.WORDS if name not in HEALTH],
        "health": HEALTH,
        "tones": list(states.TONE_ICONS),
        "products": ["postgresql", "valkey", "kafka", "opensearch", "kubernetes", "registry", "mongodb"],
        "plans": _plans(),
        "price": _price("0.0213"),
        "snippets": [{"title": "psql", "code": PSQL}, {"title": "Python", "code": PYTHON}],
        "tabs": [
            {"title": "Overview", "url": "#", "active": True},
            {"title": "Connect", "url": "#"},
            {"title": "Databases", "url": "#", "count": 2},
            {"title": "Users", "url": "#", "count": 3},
            {"title": "Backups", "url": "#", "count": 0},
            {"title": "Metrics", "url": "#"},
            {"title": "Logs", "url": "#"},
            {"title": "Activity", "url": "#"},
            {"title": "Settings", "url": "#"},
        ],
        "ranges": [
            {"title": "1 h", "url": "#", "active": True},
            {"title": "24 h", "url": "#"},
            {"title": "7 d", "url": "#"},
        ],
        "steps": _steps(now),
        "failed": _failed(now),
        "chart": _chart(now),
        "events": [
            {"message": "The service answers again.", "at": now - 2 * minute, "tone": "success", "detail": "Ready"},
            {
                "message": "The disk is 85 % full. Grow it or remove data.",
                "at": now - 40 * minute,
                "severity": "warning",
            },
            {
                "message": "Ada Lovelace changed the plan from dev-2 to ha-8.",
                "at": now - 300 * minute,
                "icon": "move-diagonal",
            },
        ],
        "log": [
            {"text": 'listening on IPv4 address "127.0.0.1", port 5432', "at": now - minute},
            {"text": "checkpoint took longer than expected", "at": now - minute, "level": "warning"},
            {"text": 'FATAL: password authentication failed for user "app"', "at": now, "level": "error"},
        ],
        "now": now,
        "page": {"items": [1] * 50, "next_cursor": "abc", "total_count": 123},
    }
