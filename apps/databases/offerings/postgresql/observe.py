"""From what the supervisor saw to what a customer reads: conditions, children, facts. Pure."""

import datetime
import re
from dataclasses import dataclass
from typing import Any, cast

from apps.databases.offerings.postgresql import backups, config, sql
from apps.databases.offerings.postgresql.spec import DatabaseSpec, UserSpec
from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import ChildObservation, ChildView, Endpoint, Observation, Phase, RunResult, UnitState, View

IN_CASE = datetime.timedelta(seconds=10)  # on the way the supervisor tells what it sees, unless its word got lost
AT_ONCE = datetime.timedelta(milliseconds=100)
NEARLY_FULL, FULL, ROOM_AGAIN = 0.85, 1.0, 0.95
GIB = 1 << 30
_ERROR = re.compile(r"(?:psql:[^ ]*:\d+: )?(?:ERROR|FATAL|PANIC|error|pg_\w+: error): +(.+)")

# What each phase means to somebody who waits, before the engine answers.
_ON_THE_WAY = {
    Phase.ABSENT: ("Queued", "The order has been taken; this machine begins with it in a moment."),
    Phase.QUEUED: ("Queued", "The order has been taken; this machine begins with it in a moment."),
    Phase.FETCHING: ("FetchingEngine", "The engine's package is being fetched; this is needed once per version."),
    Phase.PREPARING: ("Preparing", "The data directory is being made."),
    Phase.STARTING: ("Starting", "PostgreSQL is starting."),
    Phase.RUNNING: ("NotAnswering", "PostgreSQL runs but does not answer; the platform keeps trying."),
    Phase.STOPPING: ("Starting", "PostgreSQL is restarting."),
    Phase.STOPPED: ("Starting", "PostgreSQL is about to start."),
}
# Cause of a failure → (whether nothing will change by itself, what it means and who can help). ``%s`` is the cause.
_FAILED = {
    "PackageFetchFailed": (False, "The engine's package can't be fetched: %s. An operator can help; we keep trying."),
    "PortTaken": (False, "%s An operator has to end that program; we keep trying."),
    "StartFailed": (False, "PostgreSQL does not start: %s. We keep trying; its log says more."),
    "CrashLoop": (True, "PostgreSQL ends again and again: %s. See the log, undo your last change or restore a backup."),
    "PrepareFailed": (False, "The data directory can't be made: %s. An operator can help; we keep trying."),
    "InvalidUnit": (True, "The platform can't run this configuration: %s. An operator has to help."),
}


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
    if state.generation < view.generation or backups.is_restoring(view):
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
        return _stopped(state)
    if restoring:
        return [not_ready("RestoringBackup", "The backup is being put in the place of the data.")]
    if state.phase is Phase.FAILED:
        return _failed(view, state)
    if not _is_up(state):
        return [_on_the_way(view, state)]
    if facts.set_up != facts.data:
        return [_setting_up(view, state)]
    return [ready(), *_disk(view, state, facts), *_restore_note(view)]


def _stopped(state: UnitState) -> list[Condition]:
    if state.phase is Phase.STOPPED:
        stopped = Condition("Stopped", Status.TRUE, "Stopped", "Data and address are kept.")
        return [not_ready("Stopped", "The service is stopped. Start it to use it."), stopped]
    return [not_ready("Stopping", "PostgreSQL is writing everything out and stopping.")]


def _failed(view: View, state: UnitState) -> list[Condition]:
    is_final, words = _FAILED.get(state.reason, (False, "Something went wrong: %s. The platform keeps trying."))
    if state.reason == "PrepareFailed" and view.origin is not None:
        is_final, words = True, "The backup can't be unpacked: %s. Delete this service and restore another backup."
    reason, message = state.reason or "Failed", words.replace("%s", state.message.rstrip("."), 1)
    seen = [not_ready(reason, message)]
    return [*seen, Condition("Stalled", Status.TRUE, reason, message)] if is_final else seen


def _on_the_way(view: View, state: UnitState) -> Condition:
    reason, message = _ON_THE_WAY[state.phase]
    if state.reason == "Crashed":
        return not_ready("Crashed", f"PostgreSQL ended unexpectedly and is being started again: {state.message}")
    if state.phase is Phase.PREPARING and view.origin is not None and not view.origin.in_place:
        return not_ready("RestoringBackup", "The backup is being unpacked.")
    if state.phase is Phase.FETCHING and state.steps:
        message = state.steps[-1].message[:1].upper() + state.steps[-1].message[1:] or message
    return not_ready(reason, message)


def _setting_up(view: View, state: UnitState) -> Condition:
    """Say what of the first set-up is still missing, or why it does not come about."""
    results = [state.runs.get(key) for key in _set_up_keys(view)]
    failed = next((result for result in results if result and result.state == "failed"), None)
    if failed:
        return not_ready("SetupFailed", f"The first logins can't be made: {last_line(failed)}. We keep trying.")
    return not_ready("SettingUp", "The first login and database are being made.")


def _disk(view: View, state: UnitState, facts: Facts) -> list[Condition]:
    """Warn of a disk that fills; a full one takes no more writes until it was given room."""
    used = _data_bytes(view, state) / (config.disk_gib(view) * GIB)
    remedy = "Ask for a larger disk in the settings, or delete data."
    if facts.read_only:
        message = f"The disk is full ({used:.0%}); new transactions can only read. {remedy}"
        return [Condition("DiskFull", Status.TRUE, "DiskFull", message)]
    if used >= NEARLY_FULL:
        return [Condition("DiskNearlyFull", Status.TRUE, "DiskNearlyFull", f"The disk is {used:.0%} full. {remedy}")]
    return []


# ---- facts -----------------------------------------------------------------------------------------------------------


def _facts(view: View, state: UnitState) -> Facts:
    restoring, failure = _restore(view, state)
    seen = view.facts
    data, restored = backups.data_directory(view), seen.get("restored")
    restore_failed = seen.get("restore_failed")
    if view.origin and backups.is_restoring(view) and not restoring:
        if failure:
            restore_failed = view.origin.key
        else:
            data, restored = backups.restored_directory(view), view.origin.key
    set_up = seen.get("set_up")
    if _is_up(state) and all(_succeeded(state.runs.get(key)) for key in _set_up_keys(view)):
        set_up = backups.data_directory(view)
    return Facts(data, restored, restore_failed, set_up, _is_read_only(view, state))


def _is_read_only(view: View, state: UnitState) -> bool:
    used = _data_bytes(view, state) / (config.disk_gib(view) * GIB)
    return used >= (ROOM_AGAIN if view.facts.get("read_only") else FULL)


def _data_bytes(view: View, state: UnitState) -> int:
    """Return what the service takes of its own disk: backups are not on it."""
    kept = sum(int(child.facts.get("bytes", 0)) for child in view.of_kind("backups"))
    return max(0, state.disk_bytes - kept)


def _rounded(used: int, view: View) -> int:
    """Return bytes in steps of about a hundredth of the disk, so that a fact does not change with every row."""
    step = 1 << (config.disk_gib(view) * GIB // 128).bit_length()
    return used // step * step


def _as_json(view: View, state: UnitState, facts: Facts) -> dict[str, Any]:
    is_current = _is_up(state) and state.generation >= view.generation
    found: dict[str, Any] = {
        "release": view.release if is_current else view.facts.get("release"),
        "data": facts.data,
        "restored": facts.restored,
        "restore_failed": facts.restore_failed,
        "set_up": facts.set_up,
        "read_only": facts.read_only or None,
        "disk_bytes": _rounded(_data_bytes(view, state), view) or view.facts.get("disk_bytes"),
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
    if not backups.is_restoring(view):
        return False, ""
    results = [state.runs.get(key) for key in backups.restore_keys(view)]
    failed = next((result for result in results if result and result.state in ("failed", "cancelled")), None)
    if failed:
        return False, f"The backup could not be restored: {last_line(failed)}. The data from before is in place."
    return not all(_succeeded(result) for result in results), ""


def _restore_note(view: View) -> list[Condition]:
    origin = view.origin
    if origin is None or not origin.in_place or view.facts.get("restore_failed") != origin.key:
        return []
    message = "The last restore did not work; the data from before it is in place. Try again, or into a new service."
    return [Condition("RestoreFailed", Status.TRUE, "RestoreFailed", message)]


# ---- children --------------------------------------------------------------------------------------------------------


def _child(view: View, child: ChildView, state: UnitState) -> ChildObservation:
    if child.kind == "backups":
        return _backup(view, child, state)
    result = _result(child, state)
    if result is None:
        return ChildObservation("pending", "It waits until PostgreSQL answers.", "Waiting")
    if result.state == "failed":
        return ChildObservation("failed", last_line(result), "Refused")
    if not _succeeded(result):
        return ChildObservation("running", "", "Applying")
    return ChildObservation("gone" if child.deleting else "ready")


def _result(child: ChildView, state: UnitState) -> RunResult | None:
    return state.runs.get(child.key)


def _succeeded(result: RunResult | None) -> bool:
    return result is not None and result.state == "succeeded"


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
    if not _succeeded(made) or not _succeeded(verified):
        words = "Reading the backup through." if _succeeded(made) else "Copying the data."
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
