"""One instance's way from wish to running process. Level-triggered: each look compares and does what is missing.

A look may be cut off when the wish turns from running to stopped or absent; every step is safe to repeat.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from portal.clusters.backends.local import certificates, codec, files
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.ports import bindable
from portal.clusters.backends.local.render import RenderError
from portal.clusters.backends.local.supervisor import commands, engine, logs, places, signals
from portal.clusters.backends.local.supervisor.children import exit_line
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.engine import Engine, Identity, StartFailed
from portal.clusters.backends.local.supervisor.host import FetchFailed, Host
from portal.clusters.backends.local.supervisor.record import Record, now
from portal.clusters.backends.local.supervisor.runs import Runs, sweep_artifacts
from portal.clusters.backends.local.supervisor.samples import Ring
from portal.core.drivers import Command, Phase, Probe, Unit

log = logging.getLogger(__name__)

STABLE = 60.0  # seconds after which a crash counts as the first again
FIRST_BACK_OFF, LAST_BACK_OFF = 0.2, 30.0
CRASH_LOOP = 5
PATIENT = 60.0  # seconds without readiness after which the state says why
_ROUTINE = 3600.0


class Problem(Exception):
    """What keeps an instance from running: a reason, a line, and when to look again."""

    def __init__(self, reason: str, message: str, retry: float = 10.0) -> None:
        super().__init__(message)
        self.reason, self.retry = reason, retry


@dataclass(slots=True)
class _Failures:
    """Crashes in a row and when the next start is due."""

    count: int = 0
    not_before: float = 0.0

    def add(self) -> None:
        self.count += 1
        self.not_before = time.monotonic() + min(LAST_BACK_OFF, FIRST_BACK_OFF * 2 ** (self.count - 1))


class Instance:
    """One supervised service."""

    def __init__(self, home: Home, host: Host) -> None:
        self.home, self.host = home, host
        self.record = Record(home)
        self.ring = Ring()
        self.runs = Runs(self.record, self._tell)
        self.engine: Engine | None = None
        self.unit: Unit | None = None
        self.place: Place | None = None
        self.gone = False
        self._news = asyncio.Event()
        self._look: asyncio.Task[float] | None = None
        self._looking_for = ""
        self._failures = _Failures()
        self._probe_misses = 0
        self._last_generation = -1

    # ---- life --------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Converge again and again until the service is taken away."""
        await self._adopt()
        while not self.gone:
            self._news.clear()
            wish = self.home.wish()
            if wish is None:
                return
            delay = await self._guarded(wish)
            if not self.gone:
                await self._rest(delay)

    def poke(self) -> None:
        """Look at the wish again, now; a look that pursues the opposite is cut off."""
        self._news.set()
        wish = self.home.wish()
        if wish and self._look and self._looking_for and wish.want != self._looking_for:
            self._look.cancel()

    async def _guarded(self, wish: Wish) -> float:
        """Look once; whatever goes wrong becomes part of the state and is tried again."""
        self._looking_for = wish.want
        self._look = asyncio.create_task(self._converge(wish))
        try:
            await asyncio.wait({self._look})
        except asyncio.CancelledError:
            self._look.cancel()
            await asyncio.wait({self._look})
            raise
        look, self._look = self._look, None
        if look.cancelled():
            return 0.0
        error = look.exception()
        if error is None:
            return look.result()
        return self._fail(error)

    def _fail(self, error: BaseException) -> float:
        if isinstance(error, Problem):
            self._see(phase=Phase.FAILED, ready=False, reason=error.reason, message=str(error))
            return error.retry
        if isinstance(error, RenderError):
            return self._fail(Problem("InvalidUnit", str(error), 60.0))
        log.error("%s: a bug kept it from converging", self.home.handle, exc_info=error)
        return self._fail(Problem("InternalError", "Something unexpected happened; an operator finds it in the log."))

    async def _rest(self, delay: float) -> None:
        """Wait for news, for the engine's end, or for ``delay`` seconds."""
        waits = [asyncio.ensure_future(self._news.wait())]
        if self.engine:
            waits.append(asyncio.ensure_future(self.engine.ended.wait()))
        try:
            await asyncio.wait(waits, timeout=max(0.0, delay), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _see(self, **changes: object) -> None:
        self._tell(self.record.update(**changes))

    def _tell(self, news: bool) -> None:
        if news:
            self.host.wake(self.home.handle)

    # ---- converging --------------------------------------------------------------------------------------------------

    async def _converge(self, wish: Wish) -> float:
        if wish.want == "absent":
            await self._wipe()
            return 0.0
        self.home.make()
        unit = self.unit = codec.unit_from_json(dict(wish.unit))
        if wish.generation != self._last_generation:
            self._last_generation, self._failures = wish.generation, _Failures()
        self._see(ports=dict(wish.ports))
        if self.engine and not self.engine.alive:
            await self._mourn()
        if wish.want == "stopped":
            return await self._be_stopped(wish, unit)
        return await self._be_running(wish, unit)

    async def _be_running(self, wish: Wish, unit: Unit) -> float:
        await self._fetch(unit)
        place = self.place = places.make(self.host, self.home, wish, unit)
        self._certify(unit, wish)
        if not self.home.prepared.exists():
            place = self.place = await self._prepare(wish, unit, place)
        await self._match_engine(wish, unit, place)
        if self.engine is None:
            if (left := self._failures.not_before - time.monotonic()) > 0:
                return left
            if self.runs.busy:  # work that must have the engine stopped
                self.runs.hold(unit.runs)
                return 0.5
            await self._start(wish, unit, place)
        return await self._serve(wish, unit, place)

    async def _fetch(self, unit: Unit) -> None:
        """Have all packages."""
        missing = self.host.missing(unit.packages)
        if not missing:
            return
        self._see(phase=Phase.FETCHING, ready=self.record.seen.ready, reason="", message="")
        try:
            await self.host.fetch(missing, lambda line: self._step("fetch", line))
        except FetchFailed as error:
            raise Problem("PackageFetchFailed", str(error), 30.0) from error

    def _step(self, name: str, message: str) -> None:
        self._tell(self.record.begin_step(name, message))

    def _certify(self, unit: Unit, wish: Wish) -> None:
        """Have a certificate that is good for a while."""
        if unit.tls:
            tls = self.home.root / "tls"
            self.host.authority.ensure(tls, self.home.handle, wish.hosts)
            self._see(certificate_expires_at=certificates.expires_at(tls))

    async def _prepare(self, wish: Wish, unit: Unit, place: Place) -> Place:
        """Make the data directory, from nothing, in one go. Once it is complete it is never emptied again."""
        self._see(phase=Phase.PREPARING, ready=False, reason="", message="")
        self._step("prepare", "preparing")
        await self._end_strays()
        files.empty_directory(self.home.root)
        files.empty_directory(self.home.run)
        self._certify(unit, wish)
        places.write_files(self.home, places.rendered(unit, place))
        for command in unit.prepare:
            self._step("prepare", command.name)
            await self._command(place, command, "PrepareFailed")
        files.write(self.home.prepared, now().isoformat().encode())
        return place

    async def _command(self, place: Place, command: Command, reason: str) -> None:
        outcome = await commands.run(
            place, command.argv, stdin=command.stdin, env=command.env, timeout=command.timeout_seconds
        )
        logs.write_run(self.home.log, command.name, outcome.output())
        if not outcome.succeeded:
            raise Problem(reason, f"{command.name}: {outcome.last_line()}")

    # ---- the engine --------------------------------------------------------------------------------------------------

    async def _match_engine(self, wish: Wish, unit: Unit, place: Place) -> None:
        """Bring a running engine to what is asked: nothing, a reload, or a stop so that it starts anew."""
        wanted = places.rendered(unit, place)
        identity = self.record.identity
        if self.engine is None or identity is None:
            return
        now_on_disk = places.digests(unit, wanted, self.home)
        change = places.change(identity, unit, now_on_disk, places.digest(unit, place))
        places.write_files(self.home, wanted, identity)
        if change == "restart":
            self._see(phase=Phase.STOPPING, ready=False, message="restarting")
            await self._stop_engine(unit)
            return
        if change == "reload":
            self.engine.signal(signals.number(unit.reload_signal))
        if change:
            identity.files = now_on_disk
            self.record.remember(identity)

    async def _start(self, wish: Wish, unit: Unit, place: Place) -> None:
        self._see(phase=Phase.STARTING, ready=False, message="")
        self._step("start", "starting")
        await self._end_strays()
        self._check_ports(wish)
        wanted = places.rendered(unit, place)
        places.write_files(self.home, wanted, self.record.identity)
        for command in unit.before_start:
            await self._command(place, command, "StartFailed")
        logs.rotate(self.home.log / "engine.log")
        fresh = Identity(
            digest=places.digest(unit, place), restarts=unit.restarts, files=places.digests(unit, wanted, self.home)
        )
        try:
            await self._launch(engine.start(place, unit.argv, fresh, self.record.remember))
        except StartFailed as error:
            await self._end_strays()
            self._failures.add()
            line = logs.last_line(self.home.log) or str(error)
            raise Problem("StartFailed", line, self._failures.not_before - time.monotonic()) from error
        self._probe_misses = 0
        self._see(started_at=now())
        self._step("probe", "waiting for the first answer")

    async def _launch(self, start: Coroutine[Any, Any, Engine]) -> None:
        """Start the engine in one piece: a cancellation is heeded once we hold what was started."""
        task = asyncio.create_task(start)
        try:
            self.engine = await asyncio.shield(task)
        except asyncio.CancelledError:
            with contextlib.suppress(StartFailed):
                self.engine = await task
            raise

    def _check_ports(self, wish: Wish) -> None:
        for name, port in wish.ports.items():
            if not bindable(port):
                raise Problem("PortTaken", f"Port {port} ({name}) is used by another program on this machine.", 5.0)

    async def _serve(self, wish: Wish, unit: Unit, place: Place) -> float:
        """Probe until it answers, then do what needs a running engine."""
        ready = await self._until_ready(unit.probe, place)
        if not ready:
            return 0.0 if self._interrupted() else 1.0
        self._tell(self.record.finish_steps())
        self._see(phase=Phase.RUNNING, ready=True, reason="", message="", generation=wish.generation)
        self._forgive()
        retry = self.runs.sync(unit.runs, place, running=True)
        self._sweep_artifacts(unit)
        return min(unit.probe.every_seconds, retry, _ROUTINE)

    async def _until_ready(self, probe: Probe, place: Place) -> bool:
        """Probe in quick succession until it answers; a running one that misses thrice is no longer ready."""
        pause, since = 0.03, time.monotonic()
        while self.engine and self.engine.alive:
            outcome = await commands.run(
                place, probe.argv, stdin=probe.stdin, env=probe.env, timeout=probe.timeout_seconds
            )
            if outcome.succeeded:
                self._probe_misses = 0
                return True
            self._probe_misses += 1
            self._doubt(outcome.last_line(), time.monotonic() - since)
            if self._interrupted():
                return False
            await self._rest(pause)
            pause = min(0.3, pause * 1.4)
        return False

    def _doubt(self, line: str, waited: float) -> None:
        """Say that it does not answer: at once where it never did, after three misses where it had."""
        if self.record.seen.ready and self._probe_misses >= 3:
            self._see(ready=False, reason="NotReady", message=line)
        elif not self.record.seen.ready and waited > PATIENT:
            self._see(reason="NotReady", message=line)

    def _interrupted(self) -> bool:
        return self._news.is_set()

    def _forgive(self) -> None:
        identity = self.record.identity
        if identity and time.time() - identity.started_at > STABLE:
            self._failures = _Failures()

    async def _mourn(self) -> None:
        """Take note of an end that nobody asked for."""
        dead, self.engine = self.engine, None
        assert dead is not None  # noqa: S101 - the caller saw it
        if time.time() - dead.identity.started_at > STABLE:
            self._failures = _Failures()
        self._failures.add()
        await self.runs.halt(engine_only=True)
        await self._end_strays()
        said = logs.last_line(self.home.log)
        message = f"{exit_line(await dead.exit_code())}{': ' if said else ''}{said}"
        looping = self._failures.count >= CRASH_LOOP
        self._see(
            phase=Phase.FAILED if looping else Phase.STARTING,
            ready=False,
            reason="CrashLoop" if looping else "Crashed",
            message=message,
            crashes=self.record.seen.crashes + 1,
        )

    # ---- stopping ----------------------------------------------------------------------------------------------------

    async def _be_stopped(self, wish: Wish, unit: Unit) -> float:
        if self.engine:
            self._see(phase=Phase.STOPPING, ready=False, reason="", message="")
            await self._stop_engine(unit)
        await self._end_strays(unless=self.runs.busy)
        self._see(phase=Phase.STOPPED, ready=False, reason="", message="", generation=wish.generation, steps=())
        offline = tuple(run for run in unit.runs if run.while_stopped or run.cancelled)
        if not offline or not self.home.prepared.exists():
            self._tell(self.record.keep_runs({run.key for run in unit.runs}))
            return _ROUTINE
        await self._fetch(unit)
        place = self.place = places.make(self.host, self.home, wish, unit)
        self._see(phase=Phase.STOPPED)
        return self.runs.sync(unit.runs, place, running=False)

    async def _stop_engine(self, unit: Unit | None, patience: float | None = None) -> None:
        await self.runs.halt(engine_only=True)
        running = self.engine
        if running:
            number = signals.number(unit.stop_signal if unit else "SIGTERM")
            await running.stop(number, (unit.stop_patience_seconds if unit else 10.0) if patience is None else patience)
            self.engine = None
        await self._end_strays(unless=self.runs.busy)

    async def close(self, patience: float = 30.0) -> None:
        """Stop for the end of the supervisor; the wish stays, so the next one starts it again."""
        await self.runs.halt()
        if self.engine:
            unit = self.unit
            self._see(phase=Phase.STOPPING, ready=False)
            await self._stop_engine(unit, min(patience, unit.stop_patience_seconds if unit else 10.0))
            self._see(phase=Phase.STOPPED, message="the platform is shutting down")
        await self._end_strays()

    async def _wipe(self) -> None:
        """Take everything away."""
        self._see(phase=Phase.STOPPING, ready=False, reason="", message="deleting")
        await self.runs.halt()
        await self._stop_engine(self.unit, 0.0)
        await self._end_strays()
        self.host.groups.remove(self.home.handle)
        await asyncio.to_thread(self.home.bury)
        self.gone = True
        self.host.wake(self.home.handle)

    async def _end_strays(self, *, unless: bool = False) -> None:
        """End processes of this instance that nobody keeps; none may live beside the one that we start."""
        if unless or self.engine:
            return
        await self.host.end_strays(self.home.handle)

    async def _adopt(self) -> None:
        """Take over what an earlier supervisor left, and end what it left by mistake."""
        identity = self.record.identity
        if identity:
            self.engine = Engine.adopt(identity, str(self.home.data), self.home.handle)
        keep = [identity.pid, identity.keeper] if self.engine and identity else []
        await self.host.end_strays(self.home.handle, keep=keep)
        if self.engine is None and self.record.seen.phase in (Phase.RUNNING, Phase.STARTING, Phase.STOPPING):
            self._see(phase=Phase.QUEUED, ready=False)

    # ---- housekeeping ------------------------------------------------------------------------------------------------

    def _sweep_artifacts(self, unit: Unit) -> None:
        if not self.runs.busy:
            wanted = (*unit.keep_artifacts, *(run.artifact for run in unit.runs))
            sweep_artifacts(self.home.artifacts, wanted)

    def roots(self) -> int | None:
        return self.engine.identity.pid if self.engine else None
