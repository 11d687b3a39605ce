"""What a customer reads of a PostgreSQL on Kubernetes, from what CloudNativePG says of it."""

import dataclasses
import datetime
from typing import Any

import pytest

from apps.databases.offerings.postgresql.kubernetes.phases import FINAL, WAITING
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from portal.core.drivers import View
from tests.databases.conftest import child, first_children
from tests.databases.kubernetes import (
    DRIVER,
    HA,
    HEALTHY,
    conditions_of,
    looked,
    message_of,
    on_kubernetes,
    running,
    there,
    well,
)


def test_it_is_ready_when_condition_phase_and_nodes_say_so() -> None:
    view = on_kubernetes(plan=HA)
    seen = looked(view, there(view))
    assert conditions_of(seen) == {"Ready": "True"}
    assert seen.settled
    assert seen.due_in is None
    assert seen.facts["release"] == "17.10"
    assert [(e.component, e.host, e.port, e.route) for e in seen.endpoints] == [
        ("primary", "abcdefghijkl-rw.prj-1.svc", 5432, "internal"),
        ("replicas", "abcdefghijkl-ro.prj-1.svc", 5432, "internal"),
    ]


@pytest.mark.parametrize(
    "short",
    [
        {"readyInstances": 2},
        {"phase": "Creating a new replica"},
        {"conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": None},
        {"targetPrimary": "abcdefghijkl-2"},
        {"image": "ghcr.io/cloudnative-pg/postgresql:17.9"},
        {"instances": 1},
        {"resizingPVC": ["abcdefghijkl-1"]},
    ],
)
def test_anything_short_of_that_is_not_ready_yet(short: dict[str, Any]) -> None:
    view = on_kubernetes(plan=HA)
    seen = looked(view, there(view, well(view, **short)))
    assert conditions_of(seen)["Ready"] == "False"
    assert not seen.settled
    assert message_of(seen)


def test_a_new_one_has_no_old_status_so_it_is_settled_in_the_turn_after_the_operators_answer() -> None:
    view = on_kubernetes()
    first = DRIVER.observe(view, there(view))
    assert conditions_of(first)["Ready"] == "True"
    assert (first.settled, first.due_in) == (False, datetime.timedelta(0)), "it is rendered anew, now as one with data"
    assert looked(view, there(view), times=2).settled
    assert DRIVER.observe(view, there(view, {})).due_in is None, "the watch tells"


def test_right_after_a_write_the_old_status_is_not_believed() -> None:
    """A Cluster tells no observedGeneration, so it takes three looks; each change begins anew."""
    view = running(on_kubernetes())
    changed = there(view)
    cluster = next(item for item in changed if item["kind"] == "Cluster")
    cluster["metadata"]["generation"] = 2
    first = DRIVER.observe(view, changed)
    assert conditions_of(first)["Ready"] == "True", "it still serves"
    assert not first.settled
    assert first.due_in is not None
    assert not looked(view, changed, times=2).settled
    assert looked(view, changed, times=3).settled
    assert DRIVER.observe(view, there(view)).settled, "a settled service needs one look"


def test_a_restart_and_a_start_are_waited_for_too() -> None:
    view = running(on_kubernetes())
    restarted = dataclasses.replace(view, restarts=1)
    assert not DRIVER.observe(restarted, there(restarted)).settled
    asleep = well(
        view, conditions=[{"type": "Ready", "status": "True"}, {"type": "cnpg.io/hibernation", "status": "True"}]
    )
    seen = looked(view, there(view, asleep))
    assert conditions_of(seen)["Ready"] == "False"
    assert not seen.settled


@pytest.mark.parametrize("phase", sorted(phase for phase in WAITING if phase))
def test_each_phase_on_the_way_says_what_is_waited_for(phase: str) -> None:
    view = on_kubernetes()
    seen = looked(view, there(view, well(view, phase=phase, readyInstances=0)))
    assert conditions_of(seen) == {"Ready": "False"}
    assert message_of(seen).endswith((".", "ready."))
    assert not seen.settled


def test_nothing_seen_yet_says_that_the_operator_has_to_begin() -> None:
    view = on_kubernetes()
    for objects in ([], there(view, {})):
        seen = looked(view, objects)
        assert "Waiting for" in message_of(seen)
        assert seen.endpoints == ()
        assert not seen.settled


@pytest.mark.parametrize("phase", sorted(FINAL))
def test_what_nothing_leads_out_of_is_stalled_with_a_cause_and_a_remedy(phase: str) -> None:
    view = on_kubernetes()
    seen = looked(view, there(view, well(view, phase=phase, phaseReason="of this and\nthat.")))
    assert conditions_of(seen) == {"Ready": "False", "Stalled": "True"}
    assert "(of this and that)" in message_of(seen)
    assert "operator" in message_of(seen) or "Undo" in message_of(seen)
    assert not seen.settled


def test_a_full_disk_says_what_to_ask_for() -> None:
    view = running(on_kubernetes())
    seen = looked(view, there(view, well(view, phase="Not enough disk space")))
    assert conditions_of(seen) == {"Ready": "False", "DiskFull": "True"}
    assert "larger disk" in message_of(seen)


def test_a_service_that_lost_a_node_still_serves_and_says_so() -> None:
    view = running(on_kubernetes(plan=HA))
    hurt = well(
        view, readyInstances=2, phase="Creating a new replica", conditions=[{"type": "Ready", "status": "False"}]
    )
    seen = looked(view, there(view, hurt))
    assert conditions_of(seen) == {"Ready": "True", "NodesMissing": "True"}
    assert not seen.settled
    failing = looked(view, there(view, {**hurt, "phase": "Failing over"}))
    assert conditions_of(failing) == {"Ready": "False"}


def test_it_has_stopped_once_it_hibernates_and_what_never_ran_once_it_is_gone() -> None:
    view = dataclasses.replace(running(on_kubernetes()), running=False)
    half = [{"type": "Ready", "status": "True"}, {"type": "cnpg.io/hibernation", "status": "False"}]
    assert conditions_of(looked(view, there(view, well(view, conditions=half)))) == {"Ready": "False"}
    whole = [{"type": "cnpg.io/hibernation", "status": "True", "reason": "Hibernated"}]
    seen = looked(view, there(view, well(view, conditions=whole)))
    assert conditions_of(seen) == {"Ready": "False", "Stopped": "True"}
    assert seen.settled
    assert seen.facts["release"] == "17.10"
    fresh = on_kubernetes(running=False)
    assert conditions_of(looked(fresh, [])) == {"Ready": "False", "Stopped": "True"}
    still = there(on_kubernetes(), well(fresh, phase="Setting up primary"))
    assert "Stopped" not in conditions_of(looked(fresh, still))


@pytest.mark.parametrize(
    "status",
    [{}, {"phase": "Failing over"}, {"phase": min(FINAL)}, {"phase": "no such phase"}, {"phase": HEALTHY}],
)
@pytest.mark.parametrize("runs", [True, False])
def test_what_has_served_is_never_taken_for_empty(status: dict[str, Any], runs: bool) -> None:
    """Whether there may be data decides whether a stop takes the cluster away: no look may forget it."""
    view = dataclasses.replace(running(on_kubernetes()), running=runs)
    for objects in ([], there(view, status), there(view, well(view, **status))):
        seen = looked(view, objects)
        assert seen.facts["release"] == "17.10"
        assert "Stopped" not in conditions_of(seen)


def test_a_backup_that_fails_or_a_log_that_is_not_archived_is_a_warning() -> None:
    view = running(on_kubernetes())
    wrong = [
        {"type": "Ready", "status": "True"},
        {"type": "ContinuousArchiving", "status": "False", "message": "exit 1"},
        {"type": "LastBackupSucceeded", "status": "False"},
    ]
    seen = looked(view, there(view, well(view, conditions=wrong)))
    assert conditions_of(seen) == {"Ready": "True", "ArchivingFailing": "True", "BackupFailing": "True"}


def test_a_pooler_is_waited_for_and_has_an_address() -> None:
    view = on_kubernetes(spec=PostgresqlSpec(pooler="transaction"))
    assert not looked(view, there(view, Pooler={"phase": "inactive"})).settled
    seen = looked(view, there(view))
    assert seen.settled
    assert seen.endpoints[-1].host == "abcdefghijkl-pooler.prj-1.svc"


def test_a_public_name_is_waited_for_once_and_is_where_logins_connect() -> None:
    view = on_kubernetes(settings={"public_domain": "db.example.eu"})
    early = looked(view, there(view))
    assert conditions_of(early) == {"Ready": "False"}
    assert "address from outside" in message_of(early)
    given = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    seen = looked(view, there(view, Service=given))
    assert seen.settled
    assert [(e.host, e.route) for e in seen.endpoints] == [
        ("abcdefghijkl.db.example.eu", "public"),
        ("abcdefghijkl-rw.prj-1.svc", "internal"),
    ]
    endpoints = [endpoint.as_json() for endpoint in seen.endpoints]
    connected = dataclasses.replace(view, facts={**seen.facts, "endpoints": endpoints})
    assert "@abcdefghijkl.db.example.eu:5432/" in DRIVER.connect(connected)[0].uri
    assert conditions_of(looked(connected, there(view))) == {"Ready": "True"}, "it still serves inside"


@pytest.mark.parametrize("kind", ["Database", "DatabaseRole"])
def test_the_first_login_and_database_are_part_of_being_ready(kind: str) -> None:
    view = on_kubernetes()
    early = looked(view, there(view, **{kind: {"applied": None}}))
    assert conditions_of(early) == {"Ready": "False"}
    assert "first login and database" in message_of(early)
    refused = looked(view, there(view, **{kind: {"applied": False, "message": "no such secret"}}))
    assert "no such secret" in message_of(refused)
    assert not refused.settled
    later = running(view)
    assert conditions_of(looked(later, there(later, **{kind: {"applied": False, "message": "x"}}))) == {"Ready": "True"}


# ---- parts -----------------------------------------------------------------------------------------------------------


def _part(view: View, of_kind: dict[str, dict[str, Any]], **changes: Any) -> Any:
    objects = there(view, **of_kind)
    return DRIVER.observe(view, objects).children[view.children[-1].id]


@pytest.mark.parametrize(("kind", "object_kind"), [("databases", "Database"), ("users", "DatabaseRole")])
def test_a_part_is_ready_once_its_status_is_about_this_wish(kind: str, object_kind: str) -> None:
    view = on_kubernetes(children=(*first_children(), child(kind, "shop", 5)))
    assert _part(view, {}).state == "ready"
    assert _part(view, {object_kind: {"observedGeneration": 0}}).state == "pending"
    assert _part(view, {object_kind: {"applied": None}}).state == "pending"
    refused = _part(view, {object_kind: {"applied": False, "message": "role does\nnot exist"}})
    assert (refused.state, refused.message) == ("failed", "PostgreSQL refuses it: role does not exist.")
    assert not looked(view, there(view, **{object_kind: {"applied": None}})).settled


@pytest.mark.parametrize("kind", ["databases", "users"])
def test_a_part_is_gone_once_what_takes_it_away_is_applied(kind: str) -> None:
    kept = on_kubernetes(children=(*first_children(), child(kind, "shop", 5)))
    going = dataclasses.replace(kept, children=(*first_children(), child(kind, "shop", 5, deleting=True)))
    assert _part(going, {}).state == "gone"
    before = DRIVER.observe(going, there(kept)).children[going.children[-1].id]
    assert before.state == "pending", "what was seen is still the object that keeps it"


def test_an_extension_that_is_refused_is_named() -> None:
    view = on_kubernetes(children=(*first_children(), child("databases", "shop", 5, extensions=["pg_trgm"])))
    answer = {"extensions": [{"name": "pg_trgm", "applied": False, "message": "no control file"}]}
    seen = _part(view, {"Database": answer})
    assert seen.state == "failed"
    assert "pg_trgm" in seen.message


def test_a_backup_goes_from_waiting_to_its_end() -> None:
    view = on_kubernetes(children=(*first_children(), child("backups", "b-1", 5)))
    assert _part(view, {"Backup": {"phase": ""}}).state == "pending"
    assert _part(view, {"Backup": {"phase": "running"}}).state == "running"
    made = _part(view, {})
    assert made.state == "succeeded"
    assert made.facts["backup_id"] == "20261125T013000"
    assert "artifact" not in made.facts, "there is no file to download"
    failed = _part(view, {"Backup": {"phase": "failed", "error": "no space"}})
    assert (failed.state, failed.message) == ("failed", "The backup failed: no space.")
    without = dataclasses.replace(view, settings={})
    assert DRIVER.observe(without, []).children[view.children[-1].id].reason == "NoBackupStore"


def test_a_backup_is_cancelled_or_gone_once_its_object_is() -> None:
    for change, end in (({"cancelled": True}, "cancelled"), ({"deleting": True}, "gone")):
        asked = on_kubernetes(children=(*first_children(), child("backups", "b-1", 5)))
        view = dataclasses.replace(asked, children=(*first_children(), child("backups", "b-1", 5, **change)))
        still = DRIVER.observe(view, there(asked)).children[view.children[-1].id]
        assert still.state == "running"
        assert DRIVER.observe(view, there(view)).children[view.children[-1].id].state == end


def test_a_login_connects_to_the_clusters_address_and_verifies_by_its_own_authority() -> None:
    connection = DRIVER.connect(running(on_kubernetes()))[0]
    assert "@abcdefghijkl-rw.prj-1.svc:5432/defaultdb?sslmode=verify-full" in connection.uri
    assert connection.authority == ("ca", "ca.crt")
    assert connection.environment["PGHOST"] == "abcdefghijkl-rw.prj-1.svc"
