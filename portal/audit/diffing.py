"""What an act changed, as lines that people read: one for each value that is another one now, however deep it lies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

MOST = 200  # lines of one act; a page shows no more
NOTHING = object()  # stands for what is not there, which is another thing than null


@dataclass(frozen=True, slots=True)
class Line:
    """One value: where it lies (``spec.parameters.work_mem``), and old and new in words; None where there is none."""

    path: str
    old: str | None
    new: str | None


def lines(changes: Mapping[str, Any]) -> list[Line]:
    """Return the lines of what an audit row keeps: each field with a pair of old and new, or with one value alone."""
    found: list[Line] = []
    for name, value in changes.items():
        old, new = value if isinstance(value, list) and len(value) == 2 else (NOTHING, value)
        found += _of(name, NOTHING if old is None and _is_deep(new) else old, new)
    return found[:MOST]


def _of(path: str, old: Any, new: Any) -> Iterator[Line]:
    """Walk down where both sides are tables, or one is and the other is not there."""
    if _is_deep(old) or _is_deep(new):
        before, after = _parts(old), _parts(new)
        if before is not None and after is not None:
            for name in dict.fromkeys([*before, *after]):
                left, right = before.get(name, NOTHING), after.get(name, NOTHING)
                if left != right:
                    yield from _of(f"{path}{name}", left, right)
            return
    yield Line(path, _words(old), _words(new))


def _is_deep(value: Any) -> bool:
    """Whether a value is a table, or a list of tables."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))


def _parts(value: Any) -> dict[str, Any] | None:
    """Return a value's parts by the rest of their path; None for one that has none."""
    if isinstance(value, dict):
        return {f".{name}": part for name, part in value.items()}
    if isinstance(value, list):
        return {f"[{number}]": part for number, part in enumerate(value)}
    return {} if value is NOTHING or value is None else None


def _words(value: Any) -> str | None:
    if value is NOTHING:
        return None
    if value is None or value in ("", [], {}):
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
