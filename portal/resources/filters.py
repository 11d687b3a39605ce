"""What the list of services can be narrowed and sorted by, read from the address; used by the console's list."""

import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import QueryDict

from portal.core.counting import total_of
from portal.resources.models import Resource, State

PAGE = 50
SORTS = {"name": "name", "created": "id", "state": "state", "offering": "offering_slug", "plan": "plan_slug"}
DEFAULT_SORT = "created.desc"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, for the ``pagination`` tag; ``total_count`` as ``total_of`` says."""

    items: list[Resource]
    next_cursor: str
    total_count: int | None


@dataclass(frozen=True, slots=True)
class ServiceFilter:
    """The list's filters; empty means all. ``sort`` is ``field.asc`` or ``field.desc``."""

    text: str = ""
    state: str = ""
    offering: str = ""
    tag: str = ""
    sort: str = DEFAULT_SORT
    cursor: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "ServiceFilter":
        """Read an address; words that mean nothing are left out, as a person may have typed them."""
        sort, state = query.get("sort", ""), query.get("state", "")
        field, _dot, order = sort.partition(".")
        return cls(
            text=query.get("q", "").strip()[:100],
            state=state if state in State.values else "",
            offering=query.get("offering", "")[:63],
            tag=query.get("tag", "").strip()[:130],
            sort=sort if field in SORTS and order in ("asc", "desc") else DEFAULT_SORT,
            cursor=query.get("cursor", "")[:500],
        )

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text or self.state or self.offering or self.tag)

    def page(self, rows: QuerySet[Resource]) -> Page:
        """Return the rows of one page. The cursor names the last row seen, so what comes and goes shifts nothing."""
        found = self._narrowed(rows)
        field, descends = self._order()
        sign = "-" if descends else ""
        ordering = [f"{sign}id"] if field == "id" else [f"{sign}{field}", f"{sign}id"]
        shown = list(self._after(found, field, descends).order_by(*ordering)[: PAGE + 1])
        more = shown[PAGE - 1] if len(shown) > PAGE else None
        return Page(shown[:PAGE], cursor_of(more, field) if more else "", total_of(found))

    def _narrowed(self, rows: QuerySet[Resource]) -> QuerySet[Resource]:
        if self.text:
            rows = rows.filter(Q(name__icontains=self.text) | Q(description__icontains=self.text))
        if self.state:
            rows = rows.filter(state=self.state)
        if self.offering:
            rows = rows.filter(offering_slug=self.offering)
        if self.tag:
            key, has_value, value = self.tag.partition("=")
            rows = rows.filter(tags__contains={key: value}) if has_value else rows.filter(tags__has_key=key)
        return rows

    def _order(self) -> tuple[str, bool]:
        field, _dot, order = self.sort.partition(".")
        return SORTS[field], order == "desc"

    def _after(self, rows: QuerySet[Resource], field: str, descends: bool) -> QuerySet[Resource]:
        last = _read_cursor(self.cursor)
        if last is None:
            return rows
        value, key = last
        word = "lt" if descends else "gt"
        beyond = Q(**{f"id__{word}": key})
        if field == "id":
            return rows.filter(beyond)
        return rows.filter(Q(**{f"{field}__{word}": value}) | (Q(**{field: value}) & beyond))


def cursor_of(row: Resource, field: str) -> str:
    """Return the cursor of what comes after a row in the order of a field."""
    content = json.dumps([str(getattr(row, field)), str(row.id)])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[Any, Any] | None:
    """Read a cursor; a broken one is none, and the list begins at its beginning."""
    try:
        value, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return str(value), uuid.UUID(str(key))
    except (ValueError, TypeError):
        return None
