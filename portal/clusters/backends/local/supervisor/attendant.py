"""Keeps one companion: prepares and starts it, brings it to what is asked, notes its ends, stops and adopts it.

It does so in a task of its own, so that neither a companion nor the main process ever waits for the other's trouble.
"""

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from portal.clusters.backends.local import files
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor import commands, engine, logs, places, probing, signals
from portal.clusters.backends.local.supervisor.children import exit_line
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.engine import Engine, Identity, StartFailed
from portal.clusters.backends.local.supervisor.host import Host
from portal.clusters.backends.local.supervisor.places import Digests, Rendered
from portal.clusters.backends.local.supervisor.record import now
from portal.clusters.backends.local.supervisor.status import Status
from portal.clusters.backends.local.supervisor.troubles import STABLE, Failures, Problem, explain
from portal.core.drivers import Command, Companion, CompanionState

Note = Callable[[str, CompanionState], None]
_ROUTINE = 3600.0
_SETTLED = 1.0  # seconds that one without a probe must live before it counts as ready


@dataclass(frozen=True, slots=True)
class Asked:
    """What a companion should be. Two are the same where the process has nothing to do to get from one to the other."""

    companion: Companion
    digest: str
    files: Digests
    restarts: int
    place: Place = field(compare=False)
    contents: Rendered = field(compare=False)
    known: frozenset[str] = field(compare=False)  # the files of the whole unit
    generation: int = field(compare=False)

    def change(self, identity: Identity) -> str:
        """Return what a process that was started as ``identity`` says needs."""
        return places.change(identity, self.companion, self.restarts, self.files, self.digest)


class Attendant:
    """One companion; ``engine`` is None while it does not run. ``note`` takes down each change of its state."""

    def __init__(self, name: str, home: Home, host: Host, status: Status, note: Note) -> None:
        self.name = name
        self.engine: Engine | None = None
        self.failures = Failures()
        self._home, self._host, self._status, self._note = home, host, status, note
        self._asked: Asked | None = None
        self._reached: Asked | None = None  # what it was ready as
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._misses = 0
        self._since = time.monotonic()  # when it was started or adopted; the clock on the wall may be set

    # ---- for the instance --------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity | None:
        return self._status.record.companions.get(self.name)

    @property
    def state(self) -> CompanionState:
        return self._status.record.seen.companions.get(self.name) or CompanionState(ready=False)

    @property
    def is_ready(self) -> bool:
        """Whether it is there, as asked last."""
        return self.state.ready and self._reached is not None and self._reached == self._asked

    @property
    def is_in_trouble(self) -> bool:
        """Whether others need not wait for it; the first crashes belong to a start that may yet succeed."""
        return not self.state.ready and self.state.reason not in ("", "Crashed")

    @property
    def is_alive(self) -> bool:
        return self.engine is not None and self.engine.alive

    @property
    def has_news(self) -> bool:
        return self._news.is_set()

    @property
    def is_at_work(self) -> bool:
        """Whether it has a process, or may be about to."""
        return self.engine is not None or (self._task is not None and not self._task.done())

    def adopt(self) -> bool:
        """Take over what an earlier supervisor left. Return whether it lives."""
        if identity := self.identity:
            self.engine = Engine.adopt(identity, str(self._home.data), self._home.handle)
        if self.engine is None and self.state.ready:
            self._see(ready=False)
        return self.engine is not None

    def ask(self, asked: Asked) -> None:
        """Pursue this from now on."""
        known, self._asked = self._asked, asked
        if known is None or known.generation != asked.generation:  # something changed, so a try is worth it now
            self.failures.forget()
            self._news.set()
        if known != asked:
            self._news.set()
            self._see(**({"reason": "", "message": ""} if self.state.reason else {}))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._live())

    async def let_go(self) -> None:
        """Pursue nothing any more, and leave the process to itself."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def stop(self, companion: Companion | None, patience: float | None = None) -> None:
        """Stop it as its declaration says, within ``patience`` seconds where given. A start is cut off."""
        await self.let_go()
        await self._end(companion, patience)

    # ---- converging --------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        while True:
            self._news.clear()
            asked = self._asked
            assert asked is not None  # noqa: S101 - set by ask, which starts this
            try:
                delay = await self._converge(asked)
            except Exception as error:
                problem = explain(error, f"{self._home.handle} ({self.name})")
                self._see(ready=False, reason=problem.reason, message=str(problem))
                delay = problem.retry
            await self.rest(delay)

    async def rest(self, delay: float) -> None:
        await probing.rest(delay, self._news, self.engine)

    async def _converge(self, asked: Asked) -> float:
        """Do what is missing. Return in how many seconds to look again without news."""
        if self.engine and not self.engine.alive:
            await self._mourn()
        await self._match(asked)
        if self.engine is None:
            if left := self.failures.left:
                return left
            await self._start(asked)
        if not await self._until_ready(asked):
            return 0.0
        self._misses, is_news, self._reached = 0, self._reached != asked, asked
        self._see(ready=True, reason="", message="")
        if is_news:
            self._note(self.name, self.state)  # also where that is as before
        if self._lasted > STABLE:
            self.failures.forget()
        return asked.companion.probe.every_seconds if asked.companion.probe else _ROUTINE

    async def _match(self, asked: Asked) -> None:
        """Write its files, and bring a running process to them: nothing, a reload, or a stop so that it starts anew."""
        identity = self.identity
        places.write_files(self._home, asked.contents)
        places.remove_files(self._home, identity, asked.known)
        if self.engine is None or identity is None:
            return
        change = asked.change(identity)
        if change == "restart":
            self._see(ready=False, reason="", message="restarting")
            await self._end(asked.companion)
            return
        if change == "reload":
            self.engine.signal(signals.number(asked.companion.reload_signal))
        if change:
            self._status.record.remember_companion(self.name, dataclasses.replace(identity, files=asked.files))

    async def _start(self, asked: Asked) -> None:
        """Start it. Raises Problem where that can't be done."""
        await self._end_strays()
        if not self._home.companion_prepared(self.name).exists():
            await self._prepare(asked)
        self._be_on_the_way("starting")
        logs.rotate(logs.companion_log(self._home.log, self.name))
        fresh = Identity(digest=asked.digest, restarts=asked.restarts, files=asked.files)
        remember = functools.partial(self._status.record.remember_companion, self.name)
        place = places.beside(asked.place, asked.companion)
        path = logs.companion_log(self._home.log, self.name)
        try:
            start = engine.start(place, asked.companion.argv, fresh, remember, path)
            await engine.in_one_piece(start, self._hold)
        except StartFailed as error:
            await self._end_strays()
            self.failures.add()
            raise Problem("StartFailed", self._last_words() or str(error), self.failures.left) from error
        self._be_on_the_way("waiting for the first answer", started_at=now())

    def _hold(self, started: Engine) -> None:
        self.engine, self._since = started, time.monotonic()

    async def _prepare(self, asked: Asked) -> None:
        """Do what comes before the first start of all."""
        for command in asked.companion.prepare:
            self._be_on_the_way(command.name)
            await self._perform(asked, command)
        files.private_directory(self._home.companions)
        files.write(self._home.companion_prepared(self.name), now().isoformat().encode())

    async def _perform(self, asked: Asked, command: Command) -> None:
        place = places.beside(asked.place, asked.companion, one_shot=True)
        limit = command.timeout_seconds
        outcome = await commands.run(place, command.argv, stdin=command.stdin, env=command.env, timeout=limit)
        logs.write_run(self._home.log, f"{self.name}: {command.name}", outcome.output())
        if not outcome.succeeded:
            self.failures.add()
            raise Problem("PrepareFailed", f"{command.name}: {outcome.last_line()}", self.failures.left)

    # ---- while it runs -----------------------------------------------------------------------------------------------

    async def _until_ready(self, asked: Asked) -> bool:
        """Wait for its answer; one that has no probe is ready once it has lived on for a while."""
        if asked.companion.probe:
            place = places.beside(asked.place, asked.companion, one_shot=True)
            return await probing.until_answer(self, asked.companion.probe, place, starting=not self.state.ready)
        needed = STABLE if self.failures.looping else _SETTLED
        await self.rest(needed - self._lasted)
        return self.is_alive and self._lasted >= needed

    def doubt(self, line: str, waited: float) -> None:
        """Say that it does not answer: after some misses where it had answered, after a minute where it never did."""
        self._misses += 1
        if self.state.ready and self._misses >= probing.MISSES:
            self._see(ready=False, reason="NotReady", message=line)
        elif not self.state.ready and waited > probing.PATIENT:
            self._see(reason="NotReady", message=line)

    @property
    def _lasted(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._since

    async def _mourn(self) -> None:
        """Take note of an end that nobody asked for."""
        dead, self.engine = self.engine, None
        if dead is None:
            return
        if self._lasted > STABLE:
            self.failures.forget()
        self.failures.add()
        how = exit_line(await dead.exit_code())  # before its sandbox is ended as well, which would hide the cause
        await self._end_strays()
        said = self._last_words()
        self._see(
            ready=False,
            reason="CrashLoop" if self.failures.looping else "Crashed",
            message=f"{how}{': ' if said else ''}{said}",
            crashes=self.state.crashes + 1,
        )

    def _last_words(self) -> str:
        """Return what it wrote last; customers read it, so no secret may stand in it."""
        return logs.last_line(self._home.log, self._home.secrets(), self.name)

    # ---- ending ------------------------------------------------------------------------------------------------------

    async def _end(self, companion: Companion | None, patience: float | None = None) -> None:
        declared = companion or (self._asked.companion if self._asked else None)
        if self.engine:
            number = signals.number(declared.stop_signal if declared else "SIGTERM")
            usual = declared.stop_patience_seconds if declared else 10.0
            await self.engine.stop(number, usual if patience is None else patience)
            self.engine = None
        self._misses, self._reached = 0, None

    async def _end_strays(self) -> None:
        """End processes that carry its mark and that nobody keeps; none may live beside the one that we start."""
        await self._host.end_strays(self._home.handle, of=self.name)

    # ---- what is seen ------------------------------------------------------------------------------------------------

    def _be_on_the_way(self, message: str, **changes: object) -> None:
        """Say what is done; why it is not ready goes before that, until it is."""
        self._see(ready=False, message=self.state.message if self.state.reason else message, **changes)

    def rest_in_peace(self) -> None:
        """Say nothing of it but what was counted."""
        self._see(ready=False, reason="", message="", started_at=None)

    def _see(self, **changes: object) -> None:
        before = self.state
        after = dataclasses.replace(before, **changes)  # type: ignore[arg-type]
        if after != before or self.name not in self._status.record.seen.companions:
            self._note(self.name, after)
