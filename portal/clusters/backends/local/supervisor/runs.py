"""Day-2 commands of an instance: one at a time per lane, results kept by key, a ``once`` run never started twice."""

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from portal.clusters.backends.local import files
from portal.clusters.backends.local.render import RenderError
from portal.clusters.backends.local.supervisor import commands, logs
from portal.clusters.backends.local.supervisor.commands import Outcome, Place
from portal.clusters.backends.local.supervisor.record import Record, now
from portal.core.drivers import Run, RunResult

FIRST_RETRY, LAST_RETRY = 2.0, 300.0  # seconds
NO_ROOM = "It was not begun: the machine's disk is full."


class Runs:
    """The lanes of one instance. ``sync`` says what is asked for; the rest follows."""

    def __init__(self, record: Record, report: Callable[[bool], None], again: Callable[[], None]) -> None:
        self._record = record
        self._report = report  # told after each change whether it is news
        self._again = again  # told when a lane has done what was due, so that ``sync`` is asked when more is
        self._wanted: tuple[Run, ...] = ()
        self._place: Place | None = None
        self._allowed: Callable[[Run], bool] = lambda run: False
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._active: dict[str, asyncio.Task[Outcome]] = {}
        self._tries: dict[str, tuple[int, float]] = {}  # key → failures, not before

    @property
    def busy(self) -> bool:
        return bool(self._active)

    def sync(self, wanted: tuple[Run, ...], place: Place, *, running: bool) -> float:
        """Take up what is asked for now. Return in how many seconds a failed run is due again."""
        self._wanted, self._place = wanted, place
        self._allowed = lambda run: running or run.while_stopped
        self._report(self._record.keep_runs({run.key for run in wanted}))
        self._cancel_unwanted()
        for lane in dict.fromkeys(run.lane for run in wanted):
            task = self._lanes.get(lane)
            if (task is None or task.done()) and self._next(lane):
                self._lanes[lane] = asyncio.create_task(self._work(lane))
        waits = [at - time.monotonic() for key, (_, at) in self._tries.items() if key in {run.key for run in wanted}]
        return max(0.1, min(waits)) if waits and not self._active else LAST_RETRY

    async def halt(self, *, engine_only: bool = False) -> None:
        """Cut off what is under way: all, or only what needs a running engine."""
        running = {run.key: run for run in self._wanted if run.key in self._active}
        for key, task in list(self._active.items()):
            if not engine_only or key not in running or not running[key].while_stopped:
                task.cancel()
        self._allowed = (lambda run: run.while_stopped) if engine_only else (lambda run: False)
        pending = [task for task in self._lanes.values() if not task.done()]
        if pending and not engine_only:
            await asyncio.wait(pending)

    def hold(self, wanted: tuple[Run, ...]) -> None:
        """Begin nothing more, cut off what is no longer wanted, and forget the results of what is not asked for."""
        self._wanted, self._allowed = wanted, lambda run: False
        self._report(self._record.keep_runs({run.key for run in wanted}))
        self._cancel_unwanted()

    def _cancel_unwanted(self) -> None:
        rendered = {run.key: run for run in self._wanted}
        for key, task in self._active.items():
            if key not in rendered or rendered[key].cancelled:
                task.cancel()
        for run in self._wanted:
            result = self._record.seen.runs.get(run.key)
            if run.cancelled and run.key not in self._active and (result is None or result.state == "failed"):
                self._report(self._record.set_run(run.key, RunResult("cancelled", finished_at=now())))

    def _next(self, lane: str) -> Run | None:
        return next((run for run in self._wanted if run.lane == lane and self._is_due(run)), None)

    def _is_due(self, run: Run) -> bool:
        if run.cancelled or run.key in self._active or not self._allowed(run):
            return False
        result = self._record.seen.runs.get(run.key)
        if result is None:
            return run.key not in self._record.once
        if result.state != "failed" or run.once:
            return False
        return time.monotonic() >= self._tries.get(run.key, (0, 0.0))[1]

    async def _work(self, lane: str) -> None:
        """Do what is due in a lane, in the order rendered."""
        while run := self._next(lane):
            await self._perform(run)
        self._again()

    async def _perform(self, run: Run) -> None:
        started = RunResult("running", started_at=now())
        if run.once:
            self._record.once.add(run.key)
        self._report(self._record.set_run(run.key, started))  # on the disk before it starts
        if run.once and self._record.unsaved:
            self._report(self._record.set_run(run.key, RunResult("failed", output=NO_ROOM, finished_at=now())))
            return
        result = dataclasses.replace(await self._tried(run, started), started_at=started.started_at, finished_at=now())
        self._note_tries(run, result)
        if run.key in {wanted.key for wanted in self._wanted} or run.once:
            covered = run.covers if result.state == "succeeded" else ()
            self._report(self._record.set_runs(dict.fromkeys((run.key, *covered), result)))

    async def _tried(self, run: Run, started: RunResult) -> RunResult:
        """Return how it went; what the machine refuses fails this run, and the lane goes on."""
        try:
            return await self._outcome(run, started)
        except OSError as error:
            return RunResult("failed", output=f"The machine refused: {error.strerror or error}.")

    async def _outcome(self, run: Run, started: RunResult) -> RunResult:
        place = self._place
        assert place is not None  # noqa: S101 - set by sync, which starts the lanes
        work = commands.run(place, run.argv, stdin=run.stdin, env=run.env, timeout=run.timeout_seconds)
        task = self._active[run.key] = asyncio.create_task(work)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._active.pop(run.key, None)
        if task.cancelled():
            return self._cut_off(run)
        if isinstance(error := task.exception(), RenderError):
            return RunResult("failed", output=str(error))
        outcome = task.result()
        logs.write_run(place.home.log, run.key, outcome.output())
        return await _judge(run, outcome, place.home.artifacts)

    def _cut_off(self, run: Run) -> RunResult:
        wanted = next((candidate for candidate in self._wanted if candidate.key == run.key), None)
        if wanted is None or wanted.cancelled:
            return RunResult("cancelled")
        return RunResult("failed", output="It was cut off because the service was stopped.")

    def _note_tries(self, run: Run, result: RunResult) -> None:
        if result.state != "failed" or run.once:
            self._tries.pop(run.key, None)
            return
        failures = self._tries.get(run.key, (0, 0.0))[0] + 1
        self._tries[run.key] = (failures, time.monotonic() + min(LAST_RETRY, FIRST_RETRY * 2 ** (failures - 1)))


async def _judge(run: Run, outcome: Outcome, artifacts: Path) -> RunResult:
    if not outcome.succeeded:
        return RunResult("failed", outcome.exit_code, outcome.output())
    if not run.artifact:
        return RunResult("succeeded", 0, outcome.output())
    try:
        size, digest = await asyncio.to_thread(_measure, artifacts, run.artifact)
    except OSError:
        return RunResult("failed", 0, f"It did not make {run.artifact}.\n{outcome.output()}")
    return RunResult("succeeded", 0, outcome.output(), artifact_bytes=size, artifact_sha256=digest)


def _measure(directory: Path, name: str) -> tuple[int, str]:
    with files.open_below(directory, name) as file:
        digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
        return file.tell(), digest.hexdigest()


def sweep_artifacts(directory: Path, wanted: Iterable[str]) -> None:
    """Remove artifacts that nobody wants any more."""
    kept = {name.split("/", 1)[0] for name in wanted if name}
    for entry in directory.iterdir() if directory.is_dir() else ():
        if entry.name in kept:
            continue
        if entry.is_dir() and not entry.is_symlink():
            files.remove_tree(entry)
        else:
            entry.unlink(missing_ok=True)
