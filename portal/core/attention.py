"""What the operators' first page counts: each package's ``admin.py`` says what of its own needs a look, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

from portal.core.counting import MOST, total_of

Rows = Callable[[], QuerySet[Any, Any]]


@dataclass(frozen=True, slots=True)
class Look:
    """Rows that need a look, with their list in the admin site: ``model`` as ``app_model``, ``query`` its filter."""

    title: str | Promise
    rows: Rows
    model: str
    query: str
    icon: str
    tone: str

    @property
    def address(self) -> str:
        base = reverse(f"admin:{self.model}_changelist")
        return f"{base}?{self.query}" if self.query else base


@dataclass(frozen=True, slots=True)
class Seen:
    """One of them, counted; ``count`` of more than ``counting.MOST`` is a text with a plus."""

    look: Look
    count: int | str

    @property
    def tone(self) -> str:
        return self.look.tone if self.count else "success"


_looks: list[Look] = []


def needs_a_look(
    title: str | Promise, model: str, query: str = "", *, icon: str = "triangle-alert", tone: str = "warning"
) -> Callable[[Rows], Rows]:
    """Have the first page count the rows of a function."""

    def register(rows: Rows) -> Rows:
        _looks.append(Look(title, rows, model, query, icon, tone))
        return rows

    return register


def seen_by(request: HttpRequest) -> list[Seen]:
    """Return all counts whose lists this person may open: a short query each, counted no further than people read."""
    return [Seen(look, _counted(look)) for look in _looks if _may_open(request, look)]


def _counted(look: Look) -> int | str:
    found = total_of(look.rows())
    return f"{MOST}+" if found is None else found


def _may_open(request: HttpRequest, look: Look) -> bool:
    shown = {f"{model._meta.app_label}_{model._meta.model_name}": held for model, held in admin.site._registry.items()}
    held = shown.get(look.model)
    return held is not None and held.has_view_permission(request)
