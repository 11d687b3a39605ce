"""What a customer reads, for all that the supervisor can have seen."""

import dataclasses
import uuid
from typing import Any

import pytest

from apps.databases.offerings.postgresql import backups
from apps.databases.offerings.postgresql.local import LocalPostgresql
from portal.core.drivers import ChildView, Origin, Phase, RunResult, UnitState, UnitStep, View
from tests.databases.conftest import child, condition, facts_after, first_children, is_true, view

DRIVER = LocalPostgresql()
DONE, FAILED = RunResult("succeeded", 0), RunResult("failed", 3, "psql:<stdin>:4: ERROR:  it broke\n")
GIB = 1 << 30


def state_of(of: View, phase: Phase = Phase.RUNNING, *, result: RunResult | None = DONE, **values: Any) -> UnitState:
    """Make the state of a unit; every run of it ended with ``result``."""
    runs = {run.key: result for run in DRIVER.render(of).runs} if result else {}
    fields = {"generation": of.generation, "ready": phase is Phase.RUNNING, "ports": {"main": 20123}, "runs": runs}
    return UnitState(phase, **{**fields, **values})


@pytest.mark.parametrize(
    ("phase", "values", "reason", "stalled"),
    [
        (Phase.ABSENT, {}, "Queued", False),
        (Phase.QUEUED, {}, "Queued", False),
        (Phase.FETCHING, {}, "FetchingEngine", False),
        (Phase.PREPARING, {}, "Preparing", False),
        (Phase.STARTING, {}, "Starting", False),
        (Phase.STARTING, {"reason": "Crashed", "message": "exit code 1"}, "Crashed", False),
        (Phase.RUNNING, {"ready": False}, "NotAnswering", False),
        (Phase.STOPPING, {}, "Starting", False),
        (Phase.STOPPED, {}, "Starting", False),
        (Phase.FAILED, {"reason": "PackageFetchFailed", "message": "no network"}, "PackageFetchFailed", False),
        (Phase.FAILED, {"reason": "PortTaken", "message": "Port 1 is used."}, "PortTaken", False),
        (Phase.FAILED, {"reason": "StartFailed", "message": "x"}, "StartFailed", False),
        (Phase.FAILED, {"reason": "CrashLoop", "message": "x"}, "CrashLoop", True),
        (Phase.FAILED, {"reason": "PrepareFailed", "message": "initdb: no room"}, "PrepareFailed", False),
        (Phase.FAILED, {"reason": "SomethingNew", "message": "100 % new"}, "SomethingNew", False),
    ],
)
def test_every_phase_has_a_reason_and_one_line_that_helps(
    phase: Phase, values: dict[str, Any], reason: str, stalled: bool
) -> None:
    seen = DRIVER.observe(view(), state_of(view(), phase, **values))
    ready = condition(seen, "Ready")
    assert ready.reason == reason
    assert ready.message
    assert "\n" not in ready.message
    assert values.get("message", "").rstrip(".") in ready.message
    assert is_true(seen, "Stalled") == stalled
    assert not is_true(seen, "Ready")
    assert not is_true(seen, "Stopped")
    assert not seen.settled


def test_a_backup_that_can_not_be_unpacked_fails_the_order_at_once() -> None:
    born = view(origin=Origin("otherservice", "backups", uuid.UUID(int=9), {"artifact": "x-1/base.tar.gz"}))
    broken = state_of(born, Phase.FAILED, reason="PrepareFailed", message="unpacking the backup: unexpected end")
    assert is_true(DRIVER.observe(born, broken), "Stalled")
    unpacking = DRIVER.observe(born, state_of(born, Phase.PREPARING))
    assert condition(unpacking, "Ready").reason == "RestoringBackup"


def test_a_fetch_says_what_is_fetched() -> None:
    steps = (UnitStep("fetch", "fetching PostgreSQL 17.10, 16 MB"),)
    seen = DRIVER.observe(view(), state_of(view(), Phase.FETCHING, steps=steps))
    assert condition(seen, "Ready").message == "Fetching PostgreSQL 17.10, 16 MB"
    assert seen.steps == steps


def test_it_is_ready_once_the_main_login_works_and_stays_so_when_a_part_fails_later() -> None:
    waiting = DRIVER.observe(view(), state_of(view(), result=None))
    assert condition(waiting, "Ready").reason == "SettingUp"
    broken = DRIVER.observe(view(), state_of(view(), result=FAILED))
    assert condition(broken, "Ready").reason == "SetupFailed"
    assert "it broke" in condition(broken, "Ready").message
    good = DRIVER.observe(view(), state_of(view()))
    assert is_true(good, "Ready")
    assert good.settled
    assert [endpoint.port for endpoint in good.endpoints] == [20123]
    later = DRIVER.observe(view(facts=facts_after(good)), state_of(view(), result=FAILED))
    assert is_true(later, "Ready")


def test_an_older_generation_is_not_settled() -> None:
    newer = view(generation=2)
    assert not DRIVER.observe(newer, state_of(newer, generation=1)).settled
    assert DRIVER.observe(newer, state_of(newer)).settled


def test_a_stopped_service_says_so_only_once_it_has_stopped() -> None:
    stopped = view(running=False)
    going = DRIVER.observe(stopped, state_of(stopped, Phase.STOPPING))
    gone = DRIVER.observe(stopped, state_of(stopped, Phase.STOPPED))
    assert not is_true(going, "Stopped")
    assert not going.settled
    assert is_true(gone, "Stopped")
    assert gone.settled


@pytest.mark.parametrize(("used", "warning"), [(10, ""), (17.1, "DiskNearlyFull"), (20.1, "DiskFull")])
def test_a_disk_that_fills_is_said_in_time(used: float, warning: str) -> None:
    seen = DRIVER.observe(view(), state_of(view(), disk_bytes=int(used * GIB)))
    kinds = {c.type for c in seen.conditions} - {"Ready"}
    assert kinds == ({warning} if warning else set())
    assert bool(seen.facts.get("read_only")) == (warning == "DiskFull")
    assert is_true(seen, "Ready")


def test_a_full_disk_opens_again_only_with_room_to_spare_and_backups_are_not_on_it() -> None:
    full = view(facts={"read_only": True})
    assert DRIVER.observe(full, state_of(full, disk_bytes=int(19.5 * GIB))).facts["read_only"]
    assert "read_only" not in DRIVER.observe(full, state_of(full, disk_bytes=18 * GIB)).facts
    kept = child("backups", "b", 3, state="succeeded", facts={"bytes": 5 * GIB})
    with_backup = view(children=(*first_children(), kept))
    assert DRIVER.observe(with_backup, state_of(with_backup, disk_bytes=16 * GIB)).facts["disk_bytes"] == 11 * GIB


@pytest.mark.parametrize(
    ("row", "result", "state"),
    [
        (child("users", "app", 4), None, "pending"),
        (child("users", "app", 4), RunResult("running"), "running"),
        (child("users", "app", 4), FAILED, "failed"),
        (child("users", "app", 4), DONE, "ready"),
        (child("users", "app", 4, deleting=True), None, "pending"),
        (child("users", "app", 4, deleting=True), FAILED, "failed"),
        (child("users", "app", 4, deleting=True), DONE, "gone"),
        (child("backups", "b", 3), None, "pending"),
        (child("backups", "b", 3), RunResult("running"), "running"),
        (child("backups", "b", 3), FAILED, "failed"),
        (child("backups", "b", 3), DONE, "succeeded"),
        (child("backups", "b", 3, cancelled=True), None, "cancelled"),
        (child("backups", "b", 3, cancelled=True), RunResult("cancelled"), "cancelled"),
        (child("backups", "b", 3, deleting=True), None, "gone"),
        (child("backups", "b", 3, state="cancelled"), FAILED, "cancelled"),
    ],
)
def test_a_part_is_what_its_run_came_to(row: ChildView, result: RunResult | None, state: str) -> None:
    seen = DRIVER.observe(view(children=(row,)), state_of(view(children=(row,)), result=result))
    assert seen.children[row.id].state == state
    assert (seen.children[row.id].message == "it broke") == (result is FAILED and state == "failed")


def test_a_backup_counts_only_when_it_was_read_through() -> None:
    row = child("backups", "b", 3)
    of = view(children=(row,))
    made = RunResult("succeeded", 0, artifact_bytes=7, artifact_sha256="ab")
    half = UnitState(Phase.RUNNING, 1, True, runs={row.key: made})
    assert DRIVER.observe(of, half).children[row.id].state == "running"
    whole = dataclasses.replace(half, runs={row.key: made, backups.verify_key(row): DONE})
    facts = DRIVER.observe(of, whole).children[row.id].facts
    assert (facts["bytes"], facts["sha256"], facts["release"]) == (7, "ab", "17.10")
    bad = dataclasses.replace(half, runs={row.key: made, backups.verify_key(row): FAILED})
    assert DRIVER.observe(of, bad).children[row.id].state == "failed"


def test_a_restore_over_the_service_moves_over_when_all_steps_worked_and_not_otherwise() -> None:
    origin = Origin("abcdefghijkl", "backups", uuid.UUID(int=9), {"artifact": "x-1/base.tar.gz"}, "abc-def", True)
    of = view(origin=origin, facts={"release": "17.10", "data": "data", "set_up": "data"})
    waiting = DRIVER.observe(of, state_of(of, Phase.STOPPED, result=None))
    assert condition(waiting, "Ready").reason == "RestoringBackup"
    assert not is_true(waiting, "Stopped")
    assert not waiting.settled
    done = DRIVER.observe(of, state_of(of, Phase.STOPPED))
    assert (done.facts["data"], done.facts["restored"]) == ("data-abcdef", "abc-def")
    assert not done.settled
    failed = DRIVER.observe(of, state_of(of, Phase.STOPPED, result=FAILED))
    assert (failed.facts["data"], failed.facts["restore_failed"]) == ("data", "abc-def")
    assert "it broke" in condition(failed, "RestoreFailed").message
    back = view(origin=origin, facts=facts_after(failed))
    seen = DRIVER.observe(back, state_of(back))
    assert seen.settled
    assert is_true(seen, "Ready")
    assert is_true(seen, "RestoreFailed")
