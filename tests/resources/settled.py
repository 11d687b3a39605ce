"""Many services at rest, and all that the platform does by the clock, for the test and the benchmark of that."""

import time
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache

from portal.celery import app
from portal.clusters.backends.base import Wanted
from portal.core import ids
from portal.resources.engine import drift, view
from portal.resources.models import Child, Resource
from tests.resources.doubles import MemoryBackend

DRIFT = "portal.resources.tasks.look_for_drift"


@dataclass(slots=True)
class Sweep:
    """The processor time (seconds) that each task of the beat table took, and how often the drift check looked."""

    seconds: dict[str, float] = field(default_factory=dict)
    looks: int = 0

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @property
    def share(self) -> float:
        """Return the part of one core that goes into the beat table at its own pace."""
        paces = {entry["task"]: float(entry["schedule"]) for entry in app.conf.beat_schedule.values()}
        once = {**self.seconds, DRIFT: self.seconds[DRIFT] / self.looks}
        return sum(seconds / paces[task] for task, seconds in once.items())


def multiply(settled: Resource, backend: MemoryBackend, number: int) -> None:
    """Make ``number`` services as settled as the given one, with parts of their own and a state in the backend."""
    first = Resource.objects.count()
    rows = [_copy(settled, handle=ids.new_handle(), name=f"copy-{first + n}") for n in range(number)]
    Resource.objects.bulk_create(rows, batch_size=2000)
    parts = [_copy(part, resource=row) for row in rows for part in settled.children.all()]
    Child.objects.bulk_create(parts, batch_size=2000)
    for row in Resource.objects.filter(id__in=[row.id for row in rows]).select_related("cluster", "project", "region"):
        seen = view.build(row, list(row.children.all()), running=row.running)
        rendered = row.offering.drivers[row.cluster.kind].render(seen)
        backend.apply(Wanted(row.handle, row.fence, row.generation, rendered))


def _copy(row: Any, **changes: Any) -> Any:
    made = copy(row)
    made._state = copy(row._state)
    made.id = ids.uuid7()
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def run_here(monkeypatch: pytest.MonkeyPatch, backend: MemoryBackend, folder: Path) -> None:
    """Make all tasks known here, have discovery look at the backend in memory, and audit heads kept in ``folder``."""
    app.loader.import_default_modules()
    monkeypatch.setattr(settings, "AUDIT_HEADS", folder)
    monkeypatch.setattr("portal.clusters.tasks.backend_of", lambda cluster: backend)
    monkeypatch.setattr(backend, "discover", lambda: {"isolation": True}, raising=False)


def sweep() -> Sweep:
    """Run every task of the beat table once, the drift check until it has been round all services."""
    done = Sweep()
    for entry in app.conf.beat_schedule.values():
        task = entry["task"]
        began = time.process_time()
        if task == DRIFT:
            done.looks = sum(1 for _ in _looks())
        else:
            app.tasks[task]()
        done.seconds[task] = time.process_time() - began
    return done


def _looks() -> Iterator[None]:
    while True:
        app.tasks[DRIFT]()
        yield
        if cache.get(drift._PLACE) is None:
            return
