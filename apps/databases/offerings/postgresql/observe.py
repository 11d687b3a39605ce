"""From what the supervisor saw to what a customer reads: conditions, children, facts. Pure."""

import datetime
import re
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from apps.databases.offerings.postgresql import backups, config, sql
from apps.databases.offerings.postgresql.spec import DatabaseSpec, UserSpec
from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import (
    ChildObservation,
    ChildView,
    Endpoint,
    Observation,
    Phase,
    RunResult,
    UnitState,
    View,
    unit_words,
)
from portal.core.drivers.unit_words import succeeded

ENGINE = "PostgreSQL"
IN_CASE = datetime.timedelta(seconds=10)  # on the way the supervisor tells what it sees, unless its word got lost
AT_ONCE = datetime.timedelta(milliseconds=100)
GIB = 1 << 30
_ERROR = re.compile(r"(?:psql:[^ ]*:\d+: )?(?:ERROR|FATAL|PANIC|error|pg_\w+: error): +(.+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a turn carries on to the next, beside what it saw."""

    data: str
    restored: str | None
    restore_failed: str | None
    set_up: str | None
    read_only: bool


def observe(view: View, state: UnitState) -> Observation:
    """Judge one look at the unit."""
    restoring, failure = _restore(view, state)
    facts = _facts(view, state)
    children = {child.id: _child(view, child, state) for child in view.children}
    conditions = list(_conditions(view, state, facts, restoring=restoring))
    if failure:
        conditions.append(Condition("RestoreFailed", Status.TRUE, "RestoreFailed", failure))
    moved_on = facts.data != backups.data_directory(view) or facts.restore_failed != view.facts.get("restore_failed")
    settled = not moved_on and _is_settled(view, state, facts, conditions)
    return Observation(
        conditions=tuple(conditions),
        facts=_as_json(view, state, facts),
        endpoints=_endpoints(view, state),
        children=children,
        steps=state.steps,
        settled=settled,
        due_in=AT_ONCE if moved_on else None if settled or not view.running else IN_CASE,
    )


def _is_up(state: UnitState) -> bool:
    return state.phase is Phase.RUNNING and state.ready


def _is_settled(view: View, state: UnitState, facts: Facts, conditions: list[Condition]) -> bool:
    """Whether nothing is left to do for this generation, and every part has been tried at least once."""
    if state.generation < view.generation or view.is_restoring:
        return False
    if not view.running:
        return state.phase is Phase.STOPPED
    tried = all(_result(child, state) is not None for child in _lasting(view))
    return tried and any(c.type == "Ready" and c.status is Status.TRUE for c in conditions)


def _lasting(view: View) -> tuple[ChildView, ...]:
    return tuple(child for child in view.children if child.kind in ("users", "databases") and not child.deleting)


# ---- conditions ------------------------------------------------------------------------------------------------------


def _conditions(view: View, state: UnitState, facts: Facts, *, restoring: bool) -> list[Condition]:
    if not view.running:
        return list(unit_words.stopped(state, ENGINE, "Data and address are kept."))
    if restoring:
        return [not_ready("RestoringBackup", "The backup is being put in the place of the data.")]
    if state.phase is Phase.FAILED:
        return list(unit_words.failed(view, state, ENGINE))
    if not _is_up(state):
        return [unit_words.on_the_way(view, state, ENGINE)]
    if facts.set_up != facts.data:
        return [_setting_up(view, state)]
    warnings = (unit_words.disk_warning(view, state, _room(view), "data"), unit_words.restore_warning(view))
    return [ready(), *chain.from_iterable(warnings)]


def _setting_up(view: View, state: UnitState) -> Condition:
    """Say what of the first set-up is still missing, or why it does not come about."""
    results = [state.runs.get(key) for key in _set_up_keys(view)]
    failed = next((result for result in results if result and result.state == "failed"), None)
    if failed:
        return not_ready("SetupFailed", f"The first logins can't be made: {last_line(failed)}. We keep trying.")
    return not_ready("SettingUp", "The first login and database are being made.")


# ---- facts -----------------------------------------------------------------------------------------------------------


def _facts(view: View, state: UnitState) -> Facts:
    restoring, failure = _restore(view, state)
    seen = view.facts
    data, restored = backups.data_directory(view), seen.get("restored")
    restore_failed = seen.get("restore_failed")
    if view.origin and view.is_restoring and not restoring:
        if failure:
            restore_failed = view.origin.key
        else:
            data, restored = backups.restored_directory(view), view.origin.key
    set_up = seen.get("set_up")
    if _is_up(state) and all(succeeded(state.runs.get(key)) for key in _set_up_keys(view)):
        set_up = backups.data_directory(view)
    return Facts(data, restored, restore_failed, set_up, unit_words.is_read_only(view, state, _room(view)))


def _room(view: View) -> int:
    return config.disk_gib(view) * GIB


def _as_json(view: View, state: UnitState, facts: Facts) -> dict[str, Any]:
    is_current = _is_up(state) and state.generation >= view.generation
    found: dict[str, Any] = {
        "release": view.release if is_current else view.facts.get("release"),
        "data": facts.data,
        "restored": facts.restored,
        "restore_failed": facts.restore_failed,
        "set_up": facts.set_up,
        "read_only": facts.read_only or None,
        "disk_bytes": unit_words.rounded_bytes(view, state, _room(view)) or view.facts.get("disk_bytes"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _endpoints(view: View, state: UnitState) -> tuple[Endpoint, ...]:
    port = state.ports.get("main")
    return (Endpoint("primary", view.host, port),) if port else ()


def _set_up_keys(view: View) -> tuple[str, ...]:
    """Return the runs without which nobody can use the service: groups, main login, main database."""
    main = (child.key for child in _lasting(view) if cast(UserSpec | DatabaseSpec, child.spec).main)
    return (sql.bootstrap_key(backups.data_directory(view)), *main)


# ---- restoring over the service itself -------------------------------------------------------------------------------


def _restore(view: View, state: UnitState) -> tuple[bool, str]:
    """Return whether a restore is under way, and why it failed."""
    if not view.is_restoring:
        return False, ""
    results = [state.runs.get(key) for key in backups.restore_keys(view)]
    failed = next((result for result in results if result and result.state in ("failed", "cancelled")), None)
    if failed:
        return False, f"The backup could not be restored: {last_line(failed)}. The data from before is in place."
    return not all(succeeded(result) for result in results), ""


# ---- children --------------------------------------------------------------------------------------------------------


def _child(view: View, child: ChildView, state: UnitState) -> ChildObservation:
    if child.kind == "backups":
        return _backup(view, child, state)
    result = _result(child, state)
    if result is None:
        return ChildObservation("pending", "It waits until PostgreSQL answers.", "Waiting")
    if result.state == "failed":
        return ChildObservation("failed", last_line(result), "Refused")
    if not succeeded(result):
        return ChildObservation("running", "", "Applying")
    return ChildObservation("gone" if child.deleting else "ready")


def _result(child: ChildView, state: UnitState) -> RunResult | None:
    return state.runs.get(child.key)


def _backup(view: View, child: ChildView, state: UnitState) -> ChildObservation:
    if child.deleting:
        return ChildObservation("gone")
    if child.finished:
        return ChildObservation(child.state)
    made, verified = state.runs.get(child.key), state.runs.get(backups.verify_key(child))
    if child.cancelled and (made is None or made.state != "running"):
        return ChildObservation("cancelled", "It was cancelled.", "Cancelled")
    for result in (made, verified):
        if result and result.state in ("failed", "cancelled"):
            return ChildObservation(result.state, last_line(result), result.state.capitalize())
    if made is None:
        return ChildObservation("pending", "It waits for its turn.", "Waiting")
    if not succeeded(made) or not succeeded(verified):
        words = "Reading the backup through." if succeeded(made) else "Copying the data."
        return ChildObservation("running", words, "Running")
    return ChildObservation("succeeded", facts=_backup_facts(view, child, made))


def _backup_facts(view: View, child: ChildView, made: RunResult) -> dict[str, Any]:
    return {
        "artifact": backups.artifact(child),
        "bytes": made.artifact_bytes or 0,
        "sha256": made.artifact_sha256,
        "release": view.release,
        "format": "pg_basebackup",
        "ended_at": made.finished_at.isoformat(timespec="seconds") if made.finished_at else "",
    }


def last_line(result: RunResult) -> str:
    """Return the one line of a run's output that says what went wrong, without psql's file and line numbers."""
    lines = [line.strip() for line in result.output.splitlines() if line.strip()]
    errors = [match[1] for line in lines if (match := _ERROR.search(line))]
    return (errors or lines or [f"it ended with exit code {result.exit_code}"])[-1].rstrip(".")[:300]
