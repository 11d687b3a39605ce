"""Conditions: one fact each, with a reason and since when, in the manner of Kubernetes.

Stored as JSON lists on resources and children; drivers return them, the engine merges them, pages and API show them.
"""

import datetime
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

MOST_WORDS = 500  # characters of a message


class Status(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact: ``reason`` is CamelCase and required, ``message`` one line that a customer can act on."""

    type: str
    status: Status
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_at: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ready(reason: str = "Ready", message: str = "") -> Condition:
    """Say that a customer can use it now."""
    return Condition("Ready", Status.TRUE, reason, message)


def not_ready(reason: str, message: str) -> Condition:
    """Say that it cannot be used now, why, and what happens next."""
    return Condition("Ready", Status.FALSE, reason, message)


def clean(text: str) -> str:
    """Return what an engine or backend said as one line that a row can hold: no line breaks, NUL or lone surrogates."""
    return " ".join(text.encode("utf-8", "replace").decode().replace("\0", "").split())[:MOST_WORDS]


def load(rows: Iterable[dict[str, Any]]) -> tuple[Condition, ...]:
    """Read stored conditions."""
    return tuple(Condition(**{**row, "status": Status(row["status"])}) for row in rows)


def find(rows: Iterable[dict[str, Any]], kind: str) -> Condition | None:
    """Return the stored condition of that type, if there is one."""
    return next((condition for condition in load(rows) if condition.type == kind), None)


def is_true(rows: Iterable[dict[str, Any]], kind: str) -> bool:
    condition = find(rows, kind)
    return condition is not None and condition.status is Status.TRUE


def merge(
    stored: list[dict[str, Any]], seen: Iterable[Condition], *, generation: int, now: datetime.datetime
) -> list[dict[str, Any]]:
    """Return the stored list with ``seen`` laid over it; a transition time moves only when the status does.

    A type that was stored and is not seen again is dropped, except the engine's own (Accepted, Synced).
    """
    before = {condition.type: condition for condition in load(stored)}
    after: dict[str, Condition] = {kind: c for kind, c in before.items() if kind in ("Accepted", "Synced")}
    for condition in seen:
        old = before.get(condition.type)
        same = old is not None and old.status is condition.status
        since = old.last_transition_at if old is not None and same else now.isoformat(timespec="seconds")
        after[condition.type] = Condition(
            condition.type, condition.status, condition.reason, clean(condition.message), generation, since
        )
    return [after[kind].as_json() for kind in sorted(after)]
