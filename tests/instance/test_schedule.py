"""Beat over a clock that is set: what is due every few seconds stays so."""

import datetime
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery

from portal.instance.schedule import SteadyScheduler

Sent = list[str]


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``hours(-3)``: set the clock three hours back, and leave the time since boot alone."""
    real, now = time.time, datetime.datetime.now

    def put(hours: float) -> None:
        monkeypatch.setattr("portal.instance.schedule.time.time", lambda: real() + hours * 3600)
        moved = datetime.timedelta(hours=hours)
        monkeypatch.setattr(Celery, "now", lambda self: now(datetime.UTC) + moved)

    put(0)
    return put


@pytest.fixture
def scheduler(tmp_path: Path, hours: Callable[[float], None]) -> Iterator[SteadyScheduler]:
    """Two tasks, one every second and one every hour, that are written down instead of sent."""
    app = Celery("test", set_as_current=False)
    app.conf.beat_schedule = {
        "often": {"task": "often", "schedule": 1.0},
        "rarely": {"task": "rarely", "schedule": 3600.0},
    }
    made = SteadyScheduler(app, schedule_filename=str(tmp_path / "schedule"))
    yield made
    made.close()


def sent(scheduler: SteadyScheduler, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Let it send all that is due, and return what that was."""
    names: Sent = []
    monkeypatch.setattr(scheduler, "apply_entry", lambda entry, producer=None: names.append(entry.name))
    monkeypatch.setattr(SteadyScheduler, "producer", None)
    while scheduler.tick() == 0:
        pass
    return names


def test_a_clock_set_back_makes_all_due_at_once(
    scheduler: SteadyScheduler, hours: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(scheduler, monkeypatch)
    assert "rarely" not in sent(scheduler, monkeypatch)

    hours(-3)
    assert {"often", "rarely"} <= set(sent(scheduler, monkeypatch))
    assert "rarely" not in sent(scheduler, monkeypatch)
    assert scheduler.tick() <= 1.0


def test_what_was_sent_in_the_future_is_due_after_a_restart(
    scheduler: SteadyScheduler, hours: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hours(3)
    sent(scheduler, monkeypatch)
    hours(0)
    scheduler._offset = None  # as one that has just begun

    assert {"often", "rarely"} <= set(sent(scheduler, monkeypatch))
