"""What a customer reads of a Valkey, for all that the supervisor can have seen."""

from typing import Any

import pytest

from apps.databases.offerings.valkey import backups, shape
from apps.databases.offerings.valkey.spec import ValkeySpec
from portal.core.drivers import Origin, Phase, RunResult, UnitState, View
from tests.databases.conftest import condition, is_true
from tests.databases.valkey import DRIVER, child, first_children, view

DONE, FAILED = RunResult("succeeded", 0), RunResult("failed", 1, "ERR it broke\n")
GIB = 1 << 30


def state_of(of: View, phase: Phase = Phase.RUNNING, *, result: RunResult | None = DONE, **values: Any) -> UnitState:
    """Make the state of a unit; every run of it ended with ``result``."""
    unit = DRIVER.render(of)
    runs = {run.key: result for run in unit.runs} if result else {}
    ports = {name: 20123 + number for number, name in enumerate(unit.ports)}
    fields = {"generation": of.generation, "ready": phase is Phase.RUNNING, "ports": ports, "runs": runs}
    return UnitState(phase, **{**fields, **values})


@pytest.mark.parametrize(
    ("phase", "values", "reason", "stalled"),
    [
        (Phase.QUEUED, {}, "Queued", False),
        (Phase.FETCHING, {}, "FetchingEngine", False),
        (Phase.PREPARING, {}, "Preparing", False),
        (Phase.STARTING, {"reason": "Crashed", "message": "exit code 1"}, "Crashed", False),
        (Phase.RUNNING, {"ready": False}, "Starting", False),
        (Phase.RUNNING, {"ready": False, "reason": "NotReady", "message": "front: no"}, "NotAnswering", False),
        (Phase.FAILED, {"reason": "PackageFetchFailed", "message": "no network"}, "PackageFetchFailed", False),
        (Phase.FAILED, {"reason": "CrashLoop", "message": "x"}, "CrashLoop", True),
    ],
)
def test_on_the_way_and_in_trouble_it_says_what_for(
    phase: Phase, values: dict[str, Any], reason: str, stalled: bool
) -> None:
    seen = DRIVER.observe(view(), state_of(view(), phase, **values))
    assert (condition(seen, "Ready").reason, is_true(seen, "Stalled")) == (reason, stalled)
    assert not is_true(seen, "Ready")
    assert not seen.settled


def test_a_cluster_is_ready_once_its_nodes_have_found_together() -> None:
    of = view(spec=ValkeySpec(mode="cluster"))
    state = state_of(of)
    assert is_true(DRIVER.observe(of, state), "Ready")
    waiting = {**state.runs, shape.joined_keys(of)[1]: FAILED}
    seen = DRIVER.observe(of, state_of(of, runs=waiting))
    assert condition(seen, "Ready").reason == "JoiningCluster"
    assert [e.port for e in seen.endpoints] == [20123, 20124, 20125]
    assert all(e.tls for e in seen.endpoints)


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ({"used_memory_bytes": 90, "max_memory_bytes": 100}, "MemoryNearlyFull"),
        ({"evicted_keys_total": 7}, "EvictingKeys"),
        ({"persistence_errors": 1}, "PersistenceFailing"),
        ({"replicas": 1}, "ReplicaLagging"),
        ({"replicas": 2, "replica_lag_seconds": 60}, "ReplicaLagging"),
        ({"replicas": 2, "replica_behind_bytes": 1 << 30}, "ReplicaLagging"),
    ],
)
def test_it_warns_of_what_its_numbers_tell(sample: dict[str, float], kind: str) -> None:
    of = view(spec=ValkeySpec(replicas=2), facts={"evicted_keys": 5})
    healthy = {"replicas": 2.0, "evicted_keys_total": 5.0, "used_memory_bytes": 1.0, "max_memory_bytes": 100.0}
    assert [c.type for c in DRIVER.observe(of, state_of(of, sample=healthy)).conditions] == ["Ready"]
    seen = DRIVER.observe(of, state_of(of, sample={**healthy, **sample}))
    assert [c.type for c in seen.conditions if c.type != "Ready"] == [kind]
    assert condition(seen, kind).message


def test_a_full_disk_leaves_reading_and_room_brings_writing_back() -> None:
    seen = DRIVER.observe(view(), state_of(view(), disk_bytes=6 * GIB))
    assert is_true(seen, "DiskFull")
    assert seen.facts["read_only"] is True
    of = view(facts=dict(seen.facts))
    users = next(file.content for file in DRIVER.render(of).files if file.path == "etc/users.acl")
    assert users.splitlines()[-1].endswith(" -@write")
    later = DRIVER.observe(of, state_of(of, disk_bytes=GIB))
    assert "read_only" not in later.facts
    assert is_true(DRIVER.observe(view(), state_of(view(), disk_bytes=int(4.5 * GIB))), "DiskNearlyFull")


def test_a_promotion_is_a_fact_once_its_question_is_answered_and_begun_anew_where_not() -> None:
    of = view(spec=ValkeySpec(replicas=1, primary=2), facts={"primary": 1, "persistence": "aof", "data": "data"})
    order, over = shape.promotion_keys(of)
    waiting = DRIVER.observe(of, state_of(of, runs={order: DONE}))
    assert (waiting.facts["primary"], waiting.settled) == (1, False)
    refused = DRIVER.observe(of, state_of(of, runs={order: DONE, over: FAILED}))
    assert (refused.facts["primary"], refused.facts["tries"]) == (1, 1)
    done = DRIVER.observe(of, state_of(of))
    assert (done.facts["primary"], done.settled) == (2, False)
    after = view(spec=of.spec, facts=dict(done.facts))
    assert DRIVER.observe(after, state_of(after)).settled


def test_a_refused_setting_is_said_and_holds_nothing_up() -> None:
    state = state_of(view())
    runs = {key: FAILED if key.startswith("settings") else result for key, result in state.runs.items()}
    seen = DRIVER.observe(view(), state_of(view(), runs=runs))
    assert "it broke" in condition(seen, "SettingsRefused").message
    assert is_true(seen, "Ready")


def test_a_login_is_ready_when_every_node_knows_it_and_gone_when_none_does() -> None:
    parts = (*first_children(), child("users", "old", 4, deleting=True))
    of = view(children=parts, spec=ValkeySpec(replicas=1))
    seen = DRIVER.observe(of, state_of(of))
    assert [row.state for row in seen.children.values()] == ["ready", "gone"]
    state = state_of(of)
    last = [key for key in state.runs if key.startswith("users:")][-1]
    half = DRIVER.observe(of, state_of(of, runs={key: r for key, r in state.runs.items() if key != last}))
    assert [row.state for row in half.children.values()] == ["pending", "pending"]
    refused = DRIVER.observe(of, state_of(of, runs={**state.runs, last: FAILED}))
    assert {row.message for row in refused.children.values()} == {"ERR it broke"}


def test_a_restore_moves_over_when_it_worked_and_says_why_where_not() -> None:
    key = "0192f0c1-2345-7000-8000-000000000001"
    origin = Origin("abcdefghijkl", "backups", first_children()[0].id, {"artifact": "x-1/dump.rdb"}, key, True)
    of = view(origin=origin, facts={"data": "data", "primary": 1, "persistence": "aof"})
    assert not DRIVER.render(of).running
    done = DRIVER.observe(of, state_of(of, Phase.STOPPED))
    assert (done.facts["data"], done.facts["restored"]) == ("data-0192f0c12345", key)
    runs = {**dict.fromkeys(backups.restore_keys(of), DONE), backups.restore_keys(of)[1]: FAILED}
    failed = DRIVER.observe(of, state_of(of, Phase.STOPPED, runs=runs))
    assert (failed.facts["data"], failed.facts["restore_failed"]) == ("data", key)
    assert is_true(failed, "Stalled")


def test_a_backup_fails_with_what_any_of_its_runs_said_and_can_be_cancelled() -> None:
    queued = child("backups", "b", 3)
    of = view(children=(queued,))
    state = state_of(of)
    made = DRIVER.observe(of, state).children[queued.id]
    assert (made.state, made.facts["artifact"]) == ("succeeded", backups.artifact(of, queued))
    broken = DRIVER.observe(of, state_of(of, runs={**state.runs, f"{queued.key}:verify": FAILED}))
    assert (broken.children[queued.id].state, broken.children[queued.id].message) == ("failed", "ERR it broke")
    cancelled = view(children=(child("backups", "b", 3, cancelled=True),))
    assert DRIVER.observe(cancelled, state_of(cancelled, result=None)).children[queued.id].state == "cancelled"
