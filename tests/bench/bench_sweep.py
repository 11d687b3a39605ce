"""10,000 settled services over a full sweep of all that runs by the clock, beside the same with 10.

A sweep is every task of the beat table once, and the drift check until it has been round all services. The backend is
the one in memory: what is measured is the worker's own work. That nothing is written is asserted.
"""

from pathlib import Path

import pytest
from django.db import connection

from portal.resources.models import Resource
from tests.bench.sites import rounds
from tests.resources import settled
from tests.resources.conftest import actor, backend, cluster, enqueued, kernel, order, running, toy
from tests.resources.doubles import MemoryBackend

__all__ = ["actor", "backend", "cluster", "enqueued", "kernel", "order", "running", "toy"]
pytestmark = [pytest.mark.full, pytest.mark.django_db(transaction=True)]
FEW, MANY = 10, 10_000
WRITTEN = "select tup_inserted + tup_updated + tup_deleted from pg_stat_database where datname = current_database()"


def written() -> int:
    """Return how many rows have been written in this database since it was made, by anybody."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_stat_force_next_flush()")
        cursor.execute("select pg_stat_clear_snapshot()")
        cursor.execute(WRITTEN)
        return int(cursor.fetchone()[0])


def log_position() -> int:
    """Return the end of the server's write-ahead log, in bytes."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return int(cursor.fetchone()[0])


def measured(number: int, times: int) -> settled.Sweep:
    """Sweep several times; nothing may be written. Return the sweep with the median processor time."""
    settled.sweep()
    before, log = written(), log_position()
    done = [settled.sweep() for _ in range(times)]
    wrote, logged = written() - before, log_position() - log
    assert wrote == 0, f"{wrote} rows written"
    print(f"{number} settled services, {times} sweeps: {wrote} rows written, {logged} bytes of the whole server's log")
    return sorted(done, key=lambda sweep: sweep.total)[times // 2]


def test_settled_services(
    running: Resource, kernel: MemoryBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    print()
    settled.run_here(monkeypatch, kernel, tmp_path)
    times = rounds(5)
    settled.multiply(running, kernel, FEW - 1)
    few = measured(FEW, times)
    applied = kernel.applied + MANY - FEW
    settled.multiply(running, kernel, MANY - FEW)
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
    many = measured(MANY, times)
    assert kernel.applied == applied
    each = (many.total - few.total) / (MANY - FEW)
    print(
        f"processor time of a full sweep: {many.total:.3f} s for {MANY} in {many.looks} looks, {few.total:.3f} s for "
        f"{FEW}; {each * 1000:.3f} ms for each service"
    )
    print(
        f"worker at the beat's own pace: {many.share:.2%} of a core with {MANY}, {few.share:.2%} with {FEW}: "
        f"{many.share / few.share:.2f} times"
    )
    slowest = sorted(many.seconds, key=lambda task: many.seconds[task], reverse=True)[:3]
    print("dearest tasks: " + ", ".join(f"{task} {many.seconds[task]:.3f} s" for task in slowest))
