"""What happened to a service, as lines for the ``timeline`` tag."""

import datetime
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from portal.resources.models import Event, Operation
from portal.resources.presenters.words import operation_words, step_label
from portal.resources.queries import names_of

ICONS = {"Requested": "circle-dot", "OperationEnded": "circle-check"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline; ``detail`` says who did it."""

    message: str
    at: datetime.datetime
    tone: str
    icon: str
    detail: str = ""


def timeline_of(events: Iterable[Event]) -> list[Line]:
    """Return lines with the names of who did it, looked up in one query."""
    rows = list(events)
    names = names_of(event.actor_id for event in rows)
    return [_line(event, names) for event in rows]


def _line(event: Event, names: Mapping[uuid.UUID, str]) -> Line:
    is_end = event.reason == "OperationEnded"
    tone = "warning" if event.severity == "warning" else "success" if is_end else "neutral"
    icon = "triangle-alert" if event.severity == "warning" else ICONS.get(event.reason, "circle-dot")
    who = names.get(event.actor_id, _("the platform")) if event.actor_id else ""
    return Line(event.message, event.at, tone, icon, _("by %(who)s") % {"who": who} if who else "")


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation of a list, with who asked for it."""

    operation: Operation
    title: str
    who: str

    @property
    def took(self) -> datetime.timedelta | None:
        ended = self.operation.finished_at
        return ended - self.operation.created_at if ended else None


def operation_rows(operations: Iterable[Operation]) -> list[OperationRow]:
    rows = list(operations)
    names = names_of(row.requested_by for row in rows)
    platform = _("the platform")
    return [OperationRow(row, operation_words(row), names.get(row.requested_by or row.id, platform)) for row in rows]


@dataclass(frozen=True, slots=True)
class Running:
    """An operation on its way, for its card."""

    operation: Operation
    title: str
    steps: list[dict[str, object]]
    is_cancellable: bool


def running_of(operation: Operation, *, is_cancellable: bool) -> Running:
    return Running(operation, operation_words(operation), steps_of(operation), is_cancellable)


def steps_of(operation: Operation) -> list[dict[str, object]]:
    """Return an operation's steps; while it is open there is always one that runs: no page looks stuck."""
    steps: list[dict[str, object]] = [_worded(step) for step in operation.steps]
    if not operation.is_open or any(step.get("state") == "running" for step in steps):
        return steps
    since = steps[-1].get("finished_at") if steps else operation.created_at
    title = operation.message or (_("Working on it") if steps else _("Accepted, about to begin"))
    return [*steps, {"title": title, "state": "running", "started_at": since or operation.created_at}]


def _worded(step: Mapping[str, str]) -> dict[str, object]:
    """Return a step with its label; what a finished step was doing is said by that already."""
    is_said = step["state"] == "done" and step["name"] in ("start", "probe")
    return {**step, "title": step_label(step["name"]), "message": "" if is_said else step.get("message", "")}
