"""What is settled is left alone: a sweep of everything that runs by the clock writes nothing and asks for nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core.drivers import Phase, UnitState
from portal.resources.engine import drift
from portal.resources.models import Operation, Resource
from tests.resources import settled
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db
LOCKS = re.compile(r"FOR (NO KEY )?UPDATE|FOR (KEY )?SHARE")


def written() -> int:
    """Return how many rows this test's transaction has written so far."""
    with connection.cursor() as cursor:
        cursor.execute("select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_xact_user_tables")
        return int(cursor.fetchone()[0])


def test_fifty_settled_services_cost_a_sweep_no_write_and_no_call(
    running: Resource, kernel: MemoryBackend, enqueued: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settled.run_here(monkeypatch, kernel, tmp_path)
    monkeypatch.setattr(drift, "AT_ONCE", 20)
    settled.multiply(running, kernel, 49)
    settled.sweep()  # does what earlier acts have left to do, such as sealing their audit rows
    enqueued.clear()
    before, applied, put = written(), kernel.applied, kernel.put
    with CaptureQueriesContext(connection) as caught:
        done = settled.sweep()
    assert done.looks == 3
    assert [query["sql"] for query in caught if LOCKS.search(query["sql"])] == []
    assert (written(), kernel.applied, kernel.put, enqueued) == (before, applied, put, [])
    assert not Resource.objects.exclude(next_reconcile_at=None).exists()


def test_one_that_is_not_as_it_was_is_found_among_them(
    order: Callable[..., Operation],
    running: Resource,
    kernel: MemoryBackend,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    settled.run_here(monkeypatch, kernel, tmp_path)
    settled.multiply(running, kernel, 9)
    settled.sweep()
    before = written()
    lost = Resource.objects.get(name="copy-7")
    kernel.obey = False
    kernel.states[lost.handle] = UnitState(Phase.STARTING, 1, ports={"main": 20001})
    settled.sweep()
    assert written() > before
    lost.refresh_from_db()
    assert lost.health == "unavailable"
