"""From what the supervisor saw to what a customer reads: children, facts, and what is still to be done. Pure."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.databases.offerings.valkey import backups, conditions, connect, nodes, shape
from portal.core.conditions import Condition, Status
from portal.core.drivers import ChildObservation, ChildView, Observation, Phase, RunResult, UnitState, View, unit_words
from portal.core.drivers.unit_words import succeeded

IN_CASE = datetime.timedelta(seconds=10)  # on the way the supervisor tells what it sees, unless its word got lost
AT_ONCE = datetime.timedelta(milliseconds=100)
_CARRIED = ("data", "primary", "persistence", "persisted", "tries", "restored", "restore_failed", "read_only")


@dataclass(frozen=True, slots=True)
class Steps:
    """What a turn carries on to the next: each of it changes what is rendered."""

    data: str
    primary: int
    persistence: str
    persisted: str | None = None
    tries: int = 0
    restored: str | None = None
    restore_failed: str | None = None
    read_only: bool = False

    def as_json(self) -> dict[str, Any]:
        return {name: value for name in _CARRIED if (value := getattr(self, name))}


def observe(view: View, state: UnitState) -> Observation:
    """Judge one look at the unit."""
    restoring, failure = _restore(view, state)
    steps = _steps(view, state)
    found = list(conditions.conditions(view, state, restoring=restoring))
    if failure and view.facts.get("restore_failed") != steps.restore_failed:
        found.append(Condition("Stalled", Status.TRUE, "RestoreFailed", failure))
    moved_on = steps.as_json() != _carried(view)
    settled = not moved_on and _is_settled(view, state, found)
    return Observation(
        conditions=tuple(found),
        facts=_facts(view, state, steps),
        endpoints=connect.endpoints(view, state.ports),
        children={child.id: _child(view, child, state) for child in view.children},
        steps=state.steps,
        settled=settled,
        due_in=AT_ONCE if moved_on else None if settled or not view.running else IN_CASE,
    )


def _is_settled(view: View, state: UnitState, found: Iterable[Condition]) -> bool:
    """Whether nothing is left to do for this generation, and every part has been tried at least once."""
    if state.generation < view.generation or view.is_restoring:
        return False
    if not view.running:
        return state.phase is Phase.STOPPED
    runs = shape.runs(view, read_only=bool(view.facts.get("read_only")))
    tried = all((result := state.runs.get(run.key)) is not None and result.state != "running" for run in runs)
    ready = any(c.type == "Ready" and c.status is Status.TRUE for c in found)
    return tried and ready and not shape.promotion(view) and not shape.persisting(view)


def _keys_of_users(view: View) -> tuple[str, ...]:
    return shape.user_keys(view, read_only=bool(view.facts.get("read_only")))


# ---- facts -----------------------------------------------------------------------------------------------------------


def _carried(view: View) -> dict[str, Any]:
    """Return what was carried here; of a new service what its first files were written from."""
    return Steps(**_before(view)).as_json()


def _before(view: View) -> dict[str, Any]:
    first = {
        "data": nodes.data_directory(view),
        "primary": nodes.primary(view),
        "persistence": nodes.persistence(view),
    }
    return first | {name: view.facts[name] for name in _CARRIED if name in view.facts}


def _steps(view: View, state: UnitState) -> Steps:
    """Return where the service has come to."""
    found = _before(view) | {"read_only": unit_words.is_read_only(view, state, conditions.room(view))}
    restoring, failure = _restore(view, state)
    if view.origin and view.is_restoring and not restoring:
        key = view.origin.key
        restored = {"data": backups.restored_directory(view), "restored": key}
        found |= {"restore_failed": key} if failure else restored
    if state.phase is Phase.RUNNING:
        found |= _promoted(view, state) | _persisted(view, state)
    return Steps(**found)


def _promoted(view: View, state: UnitState) -> dict[str, Any]:
    if not shape.promotion(view):
        return {}
    over = state.runs.get(shape.promotion_keys(view)[1])
    if succeeded(over):
        return {"primary": nodes.wanted_primary(view), "tries": 0}
    return _once_more(view, [over])


def _persisted(view: View, state: UnitState) -> dict[str, Any]:
    """Return the next stage where one is over; the last one makes what was asked what is."""
    wanted = nodes.spec_of(view).persistence
    if nodes.persistence(view) == wanted:
        return {"persisted": None}
    results = {run.key: state.runs.get(run.key) for run in shape.persisting(view)}
    if not all(map(succeeded, results.values())):
        return _once_more(view, [result for key, result in results.items() if key.endswith(":done")])
    if shape.persisting_stage(view) == 1:
        return {"persisted": wanted}
    return {"persistence": wanted, "persisted": None, "tries": 0}


def _once_more(view: View, answers: Iterable[RunResult | None]) -> dict[str, Any]:
    """Begin a change anew where its question was answered with no: the order may have been given to a dead engine."""
    refused = any(answer is not None and answer.state == "failed" for answer in answers)
    return {"tries": shape.tries(view) + 1} if refused else {}


def _facts(view: View, state: UnitState, steps: Steps) -> dict[str, Any]:
    is_current = state.phase is Phase.RUNNING and state.ready and state.generation >= view.generation
    seen = view.facts
    found: dict[str, Any] = {
        "release": view.release if is_current else seen.get("release"),
        "disk_bytes": unit_words.rounded_bytes(view, state, conditions.room(view)) or seen.get("disk_bytes"),
        "evicted_keys": int(state.sample.get("evicted_keys_total", seen.get("evicted_keys", 0))),
        "replica_lag_seconds": _lag(view, state),
    }
    return {name: value for name, value in found.items() if value is not None} | steps.as_json()


def _lag(view: View, state: UnitState) -> int | None:
    """Return the seconds since the slowest replica was heard of; None without replicas or a sample."""
    if not nodes.has_replicas(view) or "replica_lag_seconds" not in state.sample:
        return None
    return int(state.sample["replica_lag_seconds"])


# ---- restoring over the service itself -------------------------------------------------------------------------------


def _restore(view: View, state: UnitState) -> tuple[bool, str]:
    """Return whether a restore is under way, and why it failed."""
    if not view.is_restoring:
        return False, ""
    results = [state.runs.get(key) for key in backups.restore_keys(view)]
    failed = next((result for result in results if result and result.state in ("failed", "cancelled")), None)
    if failed:
        return False, f"The backup could not be restored: {last_line(failed)}. The data from before is in place."
    return not all(map(succeeded, results)), ""


# ---- children --------------------------------------------------------------------------------------------------------


def _child(view: View, child: ChildView, state: UnitState) -> ChildObservation:
    return _backup(view, child, state) if child.kind == "backups" else _user(view, child, state)


def _user(view: View, child: ChildView, state: UnitState) -> ChildObservation:
    """Judge a login by the runs that brought all users as asked to all nodes."""
    results = [state.runs.get(key) for key in _keys_of_users(view)]
    failed = next((result for result in results if result and result.state == "failed"), None)
    if failed:
        return ChildObservation("failed", last_line(failed), "Refused")
    if not all(map(succeeded, results)):
        return ChildObservation("pending", "It waits until Valkey answers.", "Waiting")
    return ChildObservation("gone" if child.deleting else "ready")


def _backup(view: View, child: ChildView, state: UnitState) -> ChildObservation:
    if child.deleting:
        return ChildObservation("gone")
    if child.finished:
        return ChildObservation(child.state)
    results = {key: state.runs.get(key) for key in backups.keys(view, child)}
    begun = [result for result in results.values() if result is not None]
    if child.cancelled and not any(result.state == "running" for result in begun):
        return ChildObservation("cancelled", "It was cancelled.", "Cancelled")
    for result in begun:
        if result.state in ("failed", "cancelled"):
            return ChildObservation(result.state, last_line(result), result.state.capitalize())
    if not begun:
        return ChildObservation("pending", "It waits for its turn.", "Waiting")
    if not all(map(succeeded, results.values())):
        return ChildObservation("running", "Writing out the keys and reading them through.", "Running")
    return ChildObservation("succeeded", facts=_backup_facts(view, child, results[child.key] or RunResult("succeeded")))


def _backup_facts(view: View, child: ChildView, made: RunResult) -> dict[str, Any]:
    return {
        "artifact": backups.artifact(view, child),
        "bytes": made.artifact_bytes or 0,
        "sha256": made.artifact_sha256,
        "release": view.release,
        "format": "rdb",
        "ended_at": made.finished_at.isoformat(timespec="seconds") if made.finished_at else "",
    }


def last_line(result: RunResult) -> str:
    """Return the one line of a run's output that says what went wrong."""
    lines = [line.strip() for line in result.output.splitlines() if line.strip()]
    return (lines or [f"it ended with exit code {result.exit_code}"])[-1].rstrip(".")[:300]
