"""Pages by cursor: ``{"items", "next_cursor", "total_count"}`` and ``Link: …; rel="next"``, as PRODUCT 4.8 says.

``total_count`` is null where there are more than ``counting.MOST`` rows.

Every list of the API ends in ``page`` (rows) or ``page_of`` (a short list in memory); both take two queries at most.
"""

import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from django.core import signing
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.counting import total_of
from portal.core.errors import FieldError, Problem, invalid

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")
DEFAULT_LIMIT, MOST = 50, 200
PAGING = ("limit", "cursor", "sort")
BY_AGE = {"created_at": "pk"}  # ids are ordered by time
SALT = "portal.core.api.pagination"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def page(
    request: Request,
    rows: QuerySet[Row],
    serialize: Callable[[Row], Mapping[str, Any]],
    *,
    sorts: Mapping[str, str] | None = None,
    default: str = "-created_at",
    filters: Collection[str] = (),
) -> Response:
    """Return one page of rows, the next one behind an opaque cursor.

    ``sorts`` maps names on the wire to columns that are never null; ``default`` is one of them, ``-`` for descending.
    ``filters`` names the query parameters that the caller reads itself. Raises Problem for any other parameter.
    """
    sorts = sorts or BY_AGE
    known_parameters(request, *PAGING, *filters)
    limit, sort = _limit(request), _sort(request, sorts, default)
    column, descending = sorts[sort.lstrip("-")], sort.startswith("-")
    total = total_of(rows)
    direction = "-" if descending else ""
    ordered = rows.order_by(f"{direction}{column}", f"{direction}pk")
    found = list(ordered.filter(_after(request, rows, sort, column, descending))[: limit + 1])
    items, more = found[:limit], len(found) > limit
    cursor = cursor_of(sort, column, items[-1]) if more else None
    return _respond(request, [serialize(row) for row in items], cursor, total)


def page_of(
    request: Request,
    items: Sequence[Item],
    serialize: Callable[[Item], Mapping[str, Any]],
    *,
    filters: Collection[str] = (),
) -> Response:
    """Return one page of a list that is in memory anyway, in its own order."""
    known_parameters(request, "limit", "cursor", *filters)
    limit, start = _limit(request), 0
    if "cursor" in request.query_params:
        start = _offset(_unsign(request))
    shown = items[start : start + limit]
    cursor = _sign(["#", start + limit]) if start + limit < len(items) else None
    return _respond(request, [serialize(item) for item in shown], cursor, len(items))


def cursor_of(sort: str, column: str, row: Model) -> str:
    """Return the cursor of what comes after a row; ``sort`` is the wire's name of ``column``, ``-`` for descending."""
    return _sign([sort, _plain(getattr(row, column)), str(row.pk)])


def known_parameters(request: Request, *names: str) -> None:
    """Refuse query parameters that would be ignored. Raises Problem naming each."""
    say = _("There is no parameter “%(name)s”. Known parameters: %(known)s.")
    known = ", ".join(names) or _("none")
    unknown = [name for name in request.query_params if name not in names]
    if unknown:
        raise invalid(
            *[parameter(name, "unknown_parameter", say % {"name": name[:80], "known": known}) for name in unknown]
        )
    for name, values in request.query_params.lists():
        if any("\0" in value for value in values):
            raise invalid(parameter(name, "invalid_text", _("A parameter can't hold a NUL character.")))


def parameter(name: str, code: str, detail: str) -> FieldError:
    """Return what is wrong with a query parameter; its pointer is ``?name``, which no pointer into a body can be."""
    return FieldError(f"?{name}", code, detail)


def moment(request: Request, name: str) -> datetime.datetime | None:
    """Return a time given as a parameter (RFC 3339 with its zone), or None. Raises Problem for anything else."""
    text = request.query_params.get(name)
    if text is None:
        return None
    value = parsed_moment(text.replace(" ", "+"))
    if value is None:
        raise invalid(parameter(name, "invalid_time", _("Give a time as RFC 3339 has it: 2026-11-23T10:00:00Z.")))
    return value


def parsed_moment(text: str) -> datetime.datetime | None:
    """Return a time as RFC 3339 writes it, in UTC, or None for any other text."""
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        return datetime.datetime.fromisoformat(text.upper()).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None


def number(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    """Return a whole number given as a parameter. Raises Problem beyond its bounds."""
    text = request.query_params.get(name)
    if text is None:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else least - 1
    if not least <= value <= most:
        detail = _("Give a whole number from %(least)d to %(most)d.") % {"least": least, "most": most}
        raise invalid(parameter(name, "out_of_range", detail))
    return value


def choice(request: Request, name: str, choices: Collection[str], *, default: str = "") -> str:
    """Return a word given as a parameter. Raises Problem unless it is one of ``choices``."""
    value = request.query_params.get(name, default)
    if name in request.query_params and value not in choices:
        known = ", ".join(choices)
        raise invalid(parameter(name, "invalid_choice", _("Choose one of: %(known)s.") % {"known": known}))
    return value


def _limit(request: Request) -> int:
    return number(request, "limit", default=DEFAULT_LIMIT, least=1, most=MOST)


def _sort(request: Request, sorts: Mapping[str, str], default: str) -> str:
    """Return the order as ``name`` or ``-name``; ``name.asc`` and ``name.desc`` say the same."""
    text = request.query_params.get("sort", default)
    name, _separator, direction = text.lstrip("-").partition(".")
    if (
        name not in sorts
        or direction not in ("", "asc", "desc")
        or (text.startswith("-") and direction)
        or text[:2] == "--"
    ):
        known = ", ".join(f"{name}.asc, {name}.desc" for name in sorts)
        raise invalid(parameter("sort", "invalid_choice", _("Choose one of: %(known)s.") % {"known": known}))
    return f"-{name}" if text.startswith("-") or direction == "desc" else name


def _after(request: Request, rows: QuerySet[Row], sort: str, column: str, descending: bool) -> Q:
    """Return the condition that a row comes after the cursor; ``column`` alone bounds the index scan."""
    if "cursor" not in request.query_params:
        return Q()
    value, key = _position(rows, column, sort, _unsign(request))
    beyond = "lt" if descending else "gt"
    tie = Q(**{column: value, f"pk__{beyond}": key})
    return Q(**{f"{column}__{beyond}e": value}) & (Q(**{f"{column}__{beyond}": value}) | tie)


def _position(rows: QuerySet[Row], column: str, sort: str, cursor: list[Any]) -> tuple[Any, Any]:
    if len(cursor) != 3 or cursor[0] != sort:
        raise _bad_cursor()
    options = rows.model._meta
    try:
        key = options.pk.to_python(cursor[2])
        return options.get_field(column).to_python(cursor[1]) if column != "pk" else key, key  # type: ignore[union-attr]
    except (ValidationError, FieldDoesNotExist) as error:
        raise _bad_cursor() from error


def _offset(cursor: list[Any]) -> int:
    if len(cursor) != 2 or cursor[0] != "#":
        raise _bad_cursor()
    return int(cursor[1])


def _sign(position: list[Any]) -> str:
    return signing.dumps(position, salt=SALT)


def _unsign(request: Request) -> list[Any]:
    try:
        position: list[Any] = signing.loads(request.query_params["cursor"], salt=SALT)
    except (signing.BadSignature, ValueError) as error:
        raise _bad_cursor() from error
    return position


def _bad_cursor() -> Problem:
    detail = _("This cursor is not from this list in this order. Begin without one.")
    return invalid(parameter("cursor", "invalid_cursor", detail))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value if isinstance(value, int | str) else str(value)


def _respond(request: Request, items: list[Mapping[str, Any]], cursor: str | None, total: int | None) -> Response:
    response = Response({"items": items, "next_cursor": cursor, "total_count": total})
    if cursor is not None:
        query = request.query_params.copy()
        query["cursor"] = cursor
        response["Link"] = f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'
    return response
