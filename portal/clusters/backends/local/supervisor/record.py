"""What the supervisor remembers of an instance over its own crash, and what of it others may see."""

import dataclasses
import datetime
import logging
from collections.abc import Mapping
from typing import Any

from portal.clusters.backends.local import codec, files
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor.engine import Identity
from portal.core.drivers import Phase, RunResult, UnitState, UnitStep

log = logging.getLogger(__name__)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Record:
    """The stored state of one instance. ``update`` saves at once and says whether the engine room must hear of it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        stored = files.read_json(home.state_file) or {}
        self.seen = _seen(stored.get("seen"))
        self.identity = Identity.from_json(stored.get("identity"))
        self.companions = {name: Identity(**one) for name, one in stored.get("companions", {}).items()}
        self.once: set[str] = set(stored.get("once", ()))
        self.unsaved = False  # the disk was full when something changed
        self._settle_cut_off_runs()

    def update(self, **changes: Any) -> bool:
        """Change what is seen. Return whether it is news: phase, readiness, reason, generation or a run's result."""
        before, self.seen = self.seen, dataclasses.replace(self.seen, **changes)
        if before != self.seen:
            self.save_if_possible()
        return _news(before) != _news(self.seen)

    def remember(self, identity: Identity | None) -> None:
        self.identity = identity
        self.save()

    def remember_companion(self, name: str, identity: Identity) -> None:
        self.companions[name] = identity
        self.save()

    def save_if_possible(self) -> bool:
        """Write all down; a disk that is full holds nothing up but what must be there before it begins."""
        try:
            self.save()
        except OSError as error:
            log.warning("%s: what is seen can't be written: %s", self._home.handle, error.strerror)
            self.unsaved = True
        return not self.unsaved

    def save(self) -> None:
        """Write all down. It outlives us at once, and a failure of the power where something may never run twice.

        Otherwise nothing is lost by forgetting: no process outlives the power, and what was done is safe to do again.
        """
        stored = {
            "seen": codec.state_to_json(self.seen),
            "identity": self.identity.as_json() if self.identity else None,
            "companions": {name: identity.as_json() for name, identity in self.companions.items()},
            "once": sorted(self.once),
        }
        if self._home.exists():
            files.write_json(self._home.state_file, stored, durable=bool(self.once))
        self.unsaved = False

    # ---- steps -------------------------------------------------------------------------------------------------------

    def begin_step(self, name: str, message: str, /, **changes: Any) -> bool:
        """Begin a step of the way to running, which finishes the one before it. A new way begins a new list."""
        steps = self._finished()
        if steps and self.seen.steps[-1].finished_at:
            steps = []
        names = [step.name for step in steps]
        if name in names:  # the way is walked again from here
            steps = steps[: names.index(name)]
        return self.update(steps=(*steps, UnitStep(name, message, now())), **changes)

    def finish_steps(self, **changes: Any) -> bool:
        return self.update(steps=tuple(self._finished()), **changes)

    def _finished(self) -> list[UnitStep]:
        return [step if step.finished_at else dataclasses.replace(step, finished_at=now()) for step in self.seen.steps]

    # ---- runs --------------------------------------------------------------------------------------------------------

    def set_run(self, key: str, result: RunResult) -> bool:
        return self.set_runs({key: result})

    def set_runs(self, results: Mapping[str, RunResult]) -> bool:
        return self.update(runs={**self.seen.runs, **results})

    def keep_runs(self, rendered: set[str]) -> bool:
        """Forget the results of runs that are no longer asked for, except of those that may never run twice."""
        kept = {key: result for key, result in self.seen.runs.items() if key in rendered or key in self.once}
        return self.update(runs=kept) if len(kept) != len(self.seen.runs) else False

    def _settle_cut_off_runs(self) -> None:
        """Runs die with the supervisor: what may not run twice has failed, all else is as if it had not begun.

        A failure that is tried again at once would be told to customers, and what is judged once would stay failed.
        """
        cut = {key: result for key, result in self.seen.runs.items() if result.state == "running"}
        if cut:
            words = "It was cut off by a restart."
            failed = {
                key: dataclasses.replace(result, state="failed", output=words, finished_at=now())
                for key, result in cut.items()
                if key in self.once
            }
            self.update(runs={key: result for key, result in self.seen.runs.items() if key not in cut} | failed)


def _seen(stored: dict[str, Any] | None) -> UnitState:
    try:
        return codec.state_from_json(stored) if stored else UnitState(Phase.QUEUED)
    except ValueError:
        return UnitState(Phase.QUEUED)


def _news(state: UnitState) -> tuple[object, ...]:
    runs = tuple((key, result.state, result.finished_at) for key, result in state.runs.items())
    steps = tuple((step.name, step.message) for step in state.steps)
    beside = tuple((name, one.ready, one.reason) for name, one in state.companions.items())
    return state.phase, state.ready, state.reason, state.generation, runs, steps, state.certificate_expires_at, beside
