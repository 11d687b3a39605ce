"""Sealing: gapless chains whoever runs, dies or commits late, and next to nothing to do when all is sealed."""

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from portal.audit import collectors, sealing, tasks, verifying
from portal.audit.models import AuditEvent, Head
from tests.audit import forging

ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)
ATOMIC = pytest.mark.django_db
COMMITTED = pytest.mark.django_db(transaction=True)
STOPPED_BEFORE_COMMIT = """
import signal, sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from portal.audit import sealing
def stop(*_):
    print("written", flush=True)
    signal.pause()
sealing._move_head = stop
sealing.seal_all()
"""


def positions(key: uuid.UUID | None) -> list[int | None]:
    return list(AuditEvent.objects.filter(organization_id=key).order_by("id").values_list("position", flat=True))


def intact() -> bool:
    return not any(report.flaws for report in verifying.verify())


@ATOMIC
def test_each_organization_and_the_platform_have_a_chain_without_gaps() -> None:
    for key in (ONE, TWO, None):
        forging.write(3, key)
    tasks.seal()
    forging.write(2, TWO)
    tasks.seal()
    assert [positions(key) for key in (ONE, TWO, None)] == [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3]]
    assert dict(Head.objects.values_list("organization_id", "position")) == {ONE: 3, TWO: 5, None: 3}
    assert intact()


@ATOMIC
def test_a_row_is_sealed_as_the_database_holds_it() -> None:
    """Numbers, escapes and texts beyond ASCII come back from the database in another form than they were given."""
    changes = {"b": 1e2, "aa": [1.10, True, None, -0.0, 12345678901234567890], "ä": "\u2028\\ \" 'x", "a": {"z": {}}}
    AuditEvent.objects.create(
        organization_id=ONE, actor_kind="user", action="a", target_kind="b", target_name="Ünï\u0301 ☃", changes=changes
    )
    AuditEvent.objects.create(organization_id=ONE, actor_kind="system", action="a", target_kind="b", reason="{}")
    sealing.seal_all()
    assert intact()
    row = AuditEvent.objects.get(position=1)
    assert set(row.salts) == set(row.commitments) == {"target_name", "changes"}


@ATOMIC
def test_a_large_backlog_goes_batch_by_batch_and_no_chain_waits_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[uuid.UUID | None] = []
    real: Callable[[uuid.UUID | None], int] = sealing.seal_batch
    monkeypatch.setattr(sealing, "BATCH", 10)
    monkeypatch.setattr(sealing, "seal_batch", lambda key: (order.append(key), real(key))[1])
    forging.write(35, ONE)
    forging.write(5, TWO)
    assert sealing.seal_all() == 40
    assert order.index(TWO) < 2
    assert order.count(ONE) == 4
    assert intact()


@ATOMIC
def test_it_stops_when_its_time_is_up_and_goes_on_the_next_time() -> None:
    forging.write(5, ONE)
    assert sealing.seal_all(-1) == 0
    assert sealing.seal_all() == 5


@ATOMIC
def test_it_takes_one_look_into_an_empty_index_when_all_is_sealed(django_assert_num_queries: Any) -> None:
    forging.write(2_000, ONE)
    sealing.seal_all()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_auditevent")
    with django_assert_num_queries(1), CaptureQueriesContext(connection) as asked:
        assert sealing.seal_all() == 0
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {asked[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "audit_unsealed" in plan


@ATOMIC
def test_many_rows_take_as_many_queries_as_few() -> None:
    counts = []
    for number in (2, 500):
        forging.write(number, ONE)
        with CaptureQueriesContext(connection) as asked:
            sealing.seal_all()
        counts.append(len(asked))
    assert counts[1] <= counts[0]


@ATOMIC
def test_a_chain_that_cannot_go_on_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    for key in (ONE, TWO):
        forging.write(3, key)
    sealing.seal_all()
    with forging.forger() as cursor:
        cursor.execute("UPDATE audit_head SET position = 1 WHERE organization_id = %s", [ONE])
    for key in (ONE, TWO):
        forging.write(3, key)
    assert sealing.seal_all() == 3
    assert f"audit chain {ONE} could not be sealed" in caplog.text
    assert positions(ONE) == [1, 2, 3, None, None, None]


@COMMITTED
def test_sealers_at_once_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 20)
    for key in (ONE, TWO, None):
        forging.write(200, key)
    start, sealed, errors = threading.Barrier(4), [], []

    def run() -> None:
        try:
            start.wait(10)
            while AuditEvent.objects.unsealed().exists():
                sealed.append(sealing.seal_all())
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert sum(sealed) == 600
    assert [sorted(positions(key)) for key in (ONE, TWO, None)] == [list(range(1, 201))] * 3
    assert intact()


@COMMITTED
def test_a_sealer_killed_before_its_commit_leaves_nothing_and_no_lock(
    eventually: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    forging.write(50, ONE)
    name = connection.settings_dict["NAME"]
    command = [sys.executable, "-c", STOPPED_BEFORE_COMMIT, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=settings.BASE_DIR, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "written\n"
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            assert (sealing.seal_all(), caplog.text) == (0, "")  # it passes on, and does not wait
        finally:
            child.send_signal(signal.SIGKILL)
            connection.close()  # and the time limit with it
    assert positions(ONE) == [None] * 50
    eventually(lambda: sealing.seal_all() == 50)  # the server notices the death in its own time
    assert intact()


@COMMITTED
def test_a_row_that_commits_late_comes_after_those_sealed_before_it() -> None:
    written, go = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with transaction.atomic():
                forging.write(1, ONE)
                written.set()
                go.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    assert written.wait(10)
    forging.write(2, ONE)
    assert sealing.seal_all() == 2
    go.set()
    thread.join(10)
    assert sealing.seal_all() == 1
    assert positions(ONE) == [3, 1, 2]
    assert intact()


@ATOMIC
def test_metrics_tell_what_waits_and_when_sealing_last_ran() -> None:
    def told() -> dict[str, float]:
        return {sample.name: sample.value for metric in collectors.COLLECTORS[0].collect() for sample in metric.samples}

    forging.write(3, ONE)
    before = told()
    assert before["archipel_audit_unsealed"] == 3
    assert before["archipel_audit_unsealed_seconds"] > 0
    assert "archipel_audit_sealed_timestamp_seconds" not in before
    sealing.seal_all()
    after = told()
    assert (after["archipel_audit_unsealed"], after["archipel_audit_unsealed_seconds"]) == (0, 0)
    assert after["archipel_audit_sealed_timestamp_seconds"] > 0
