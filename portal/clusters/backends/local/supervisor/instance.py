"""One instance's way from wish to running process. Level-triggered: each look compares and does what is missing.

A look may be cut off when the wish turns from running to stopped or absent; every step is safe to repeat.
"""

import asyncio
import logging
import os
import time

from portal.clusters.backends.local import codec
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.render import RenderError
from portal.clusters.backends.local.supervisor import commands, places
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.host import FetchFailed, Host
from portal.clusters.backends.local.supervisor.keeper import Keeper
from portal.clusters.backends.local.supervisor.preparation import Preparation
from portal.clusters.backends.local.supervisor.record import now
from portal.clusters.backends.local.supervisor.runs import Runs, sweep_artifacts
from portal.clusters.backends.local.supervisor.samples import Ring
from portal.clusters.backends.local.supervisor.status import Status
from portal.clusters.backends.local.supervisor.stock import Stock
from portal.clusters.backends.local.supervisor.troubles import Problem
from portal.core.drivers import Phase, Probe, Unit

log = logging.getLogger(__name__)

PATIENT = 60.0  # seconds without readiness after which the state says why
_SHY = 5.0  # seconds that an engine may take to show itself before it is asked all the same
MISSES = 3  # failed probes after which a running service is no longer ready
_ROUTINE = 3600.0
_ON_THE_WAY = (Phase.QUEUED, Phase.FETCHING, Phase.PREPARING, Phase.STARTING, Phase.STOPPING)


class Instance:
    """One supervised service."""

    def __init__(self, home: Home, host: Host, stock: Stock) -> None:
        self.home, self.host = home, host
        self.status = Status(home, host.wake, self._is_at_rest)
        self.keeper = Keeper(home, host, self.status)
        self._preparation = Preparation(home, host, stock, self.status, self.keeper)
        self.ring = Ring()
        self.unit: Unit | None = None
        self.place: Place | None = None
        self.gone = False
        self._news = asyncio.Event()
        self.runs = Runs(self.status.record, self.status.tell, self._news.set)
        self._look: asyncio.Task[float] | None = None
        self._looking_for = ""
        self._probe_misses = 0
        self._answered_at = 0.0
        self._last_generation = -1

    @property
    def on_its_way(self) -> bool:
        """Whether somebody waits for it; where a step takes very long, others need not wait for that as well."""
        seen = self.status.record.seen
        begun = seen.steps[-1].started_at if seen.steps else None
        patient = begun is None or (now() - begun).total_seconds() < PATIENT
        looking = self._look is not None and seen.phase in _ON_THE_WAY
        return patient and (looking or (seen.ready and not self._is_at_rest()))

    def _is_at_rest(self) -> bool:
        """Whether nothing is to be expected soon: whoever waits for this wants to know it at once."""
        seen = self.status.record.seen
        if seen.phase is not Phase.RUNNING:
            return seen.phase in (Phase.FAILED, Phase.STOPPED)
        results = [seen.runs.get(run.key) for run in self.unit.runs] if self.unit else []
        return seen.ready and all(result is not None and result.state != "running" for result in results)

    # ---- life --------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Converge again and again until the service is taken away."""
        await self.adopt()
        while not self.gone:
            self._news.clear()
            wish = self.home.wish()
            if wish is None:
                return
            delay = await self._guarded(wish)
            if not self.gone:
                await self._rest(self.status.catch_up(delay))

    def poke(self) -> None:
        """Look at the wish again, now; a look that pursues the opposite is cut off."""
        self._news.set()
        wish = self.home.wish()
        if wish and self._look and wish.want != self._looking_for:
            self._look.cancel()

    async def adopt(self) -> None:
        """Begin where an earlier supervisor left off."""
        self.home.tidy()
        await self.keeper.adopt()
        if self.keeper.engine is None and self.status.record.seen.ready:
            self.status.see(phase=Phase.QUEUED, ready=False)

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
        return look.result() if error is None else self._fail(error)

    def _fail(self, error: BaseException) -> float:
        if isinstance(error, Problem):
            self.status.see(phase=Phase.FAILED, ready=False, reason=error.reason, message=str(error))
            return error.retry
        if isinstance(error, RenderError):
            return self._fail(Problem("InvalidUnit", str(error), 60.0))
        if isinstance(error, OSError):
            return self._fail(Problem("HostTrouble", f"The machine refused: {error.strerror or error}."))
        log.error("%s: a bug kept it from converging", self.home.handle, exc_info=error)
        return self._fail(Problem("InternalError", "Something unexpected happened; an operator finds it in the log."))

    async def _rest(self, delay: float) -> None:
        """Wait for news, for the engine's end, or for ``delay`` seconds."""
        waits = [asyncio.ensure_future(self._news.wait())]
        if self.keeper.engine:
            waits.append(asyncio.ensure_future(self.keeper.engine.ended.wait()))
        try:
            await asyncio.wait(waits, timeout=max(0.0, delay), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # ---- converging --------------------------------------------------------------------------------------------------

    async def _converge(self, wish: Wish) -> float:
        """Do what is missing. Return in how many seconds to look again without news."""
        if wish.want == "absent":
            await self._wipe()
            return 0.0
        self.home.make()
        unit = self.unit = codec.unit_from_json(dict(wish.unit))
        if wish.generation != self._last_generation:  # something changed, so a try is worth it now
            self._last_generation = wish.generation
            self.keeper.failures.forget()
        self.status.see(ports=dict(wish.ports))
        if self.keeper.engine and not self.keeper.engine.alive:
            await self.runs.halt(engine_only=True)
            await self.keeper.mourn()
        if wish.want == "stopped":
            return await self._be_stopped(wish, unit)
        return await self._be_running(wish, unit)

    async def _be_running(self, wish: Wish, unit: Unit) -> float:
        await self._fetch(unit)
        place = self.place = places.make(self.host, self.home, wish, unit)
        if not self.home.prepared.exists():
            await self._preparation.make(wish, unit, place)
        self._preparation.certify(unit, wish)
        await self.keeper.match(unit, place)
        if self.keeper.engine is None:
            if left := self.keeper.failures.left:
                return left
            if self.runs.busy:  # work that must have the engine stopped, or that is being cut off
                self.runs.hold(unit.runs)
                return 0.2
            await self.keeper.start(wish, unit, place)
            self._probe_misses = 0
        return await self._serve(wish, unit, place)

    async def _fetch(self, unit: Unit) -> None:
        """Have all packages."""
        missing = self.host.missing(unit.packages)
        if not missing:
            return
        self.status.see(phase=Phase.FETCHING, reason="", message="")
        try:
            await self.host.fetch(missing, lambda line: self.status.step("fetch", line))
        except FetchFailed as error:
            raise Problem("PackageFetchFailed", str(error), 30.0) from error

    # ---- serving -----------------------------------------------------------------------------------------------------

    async def _serve(self, wish: Wish, unit: Unit, place: Place) -> float:
        """Probe until it answers, then do what needs a running engine."""
        if not self._has_just_answered(wish, unit.probe) and not await self._until_ready(unit.probe, place):
            return 0.0 if self._news.is_set() else 1.0
        documents = {document.kind: document.revision for document in unit.documents}
        found = {"ready": True, "reason": "", "message": "", "generation": wish.generation, "documents": documents}
        self.status.finish_steps(phase=Phase.RUNNING, **found)
        self.keeper.forgive()
        retry = self.runs.sync(unit.runs, place, running=True)
        self._sweep_artifacts(unit)
        return min(unit.probe.every_seconds, retry, _ROUTINE)

    def _has_just_answered(self, wish: Wish, probe: Probe) -> bool:
        """Whether a look that came early, with nothing new asked, need not ask once more."""
        seen, since = self.status.record.seen, time.monotonic() - self._answered_at
        return seen.ready and seen.generation == wish.generation and since < probe.every_seconds / 2

    async def _until_ready(self, probe: Probe, place: Place) -> bool:
        """Probe in quick succession until it answers, it ends, or there is news."""
        since = time.monotonic()
        if not self.status.record.seen.ready:
            await self._until_there(place.values.text(probe.after, secrets=False))
        pause = 0.01
        while self.keeper.engine and self.keeper.engine.alive:
            limit = probe.timeout_seconds
            outcome = await commands.run(place, probe.argv, stdin=probe.stdin, env=probe.env, timeout=limit)
            if outcome.succeeded:
                self._probe_misses = 0
                self._answered_at = time.monotonic()
                return True
            self._probe_misses += 1
            self._doubt(outcome.last_line(), time.monotonic() - since)
            if self._news.is_set():
                return False
            await self._rest(pause)
            pause = min(0.3, pause * 1.4)
        return False

    async def _until_there(self, path: str) -> None:
        """Wait for what an engine shows before it can answer: looking for that is cheaper than asking in vain."""
        deadline, pause = time.monotonic() + _SHY, 0.002
        while path and not os.path.lexists(path) and time.monotonic() < deadline:
            if not (self.keeper.engine and self.keeper.engine.alive) or self._news.is_set():
                return
            await asyncio.sleep(pause)
            pause = min(0.05, pause * 1.2)

    def _doubt(self, line: str, waited: float) -> None:
        """Say that it does not answer: after some misses where it had answered, after a minute where it never did."""
        was_ready = self.status.record.seen.ready
        if was_ready and self._probe_misses >= MISSES:
            self.status.see(ready=False, reason="NotReady", message=line)
        elif not was_ready and waited > PATIENT:
            self.status.see(reason="NotReady", message=line)

    def _sweep_artifacts(self, unit: Unit) -> None:
        if not self.runs.busy:
            sweep_artifacts(self.home.artifacts, (*unit.keep_artifacts, *(run.artifact for run in unit.runs)))

    # ---- not serving -------------------------------------------------------------------------------------------------

    async def _be_stopped(self, wish: Wish, unit: Unit) -> float:
        if self.keeper.engine:
            self.status.see(phase=Phase.STOPPING, ready=False, reason="", message="")
            await self.runs.halt(engine_only=True)
            await self.keeper.stop(unit)
        if not self.runs.busy:
            await self.keeper.end_strays()
        self.status.see(phase=Phase.STOPPED, ready=False, reason="", message="", generation=wish.generation, steps=())
        if not self.home.prepared.exists() or not any(run.while_stopped for run in unit.runs):
            self.runs.hold(unit.runs)
            return _ROUTINE
        await self._fetch(unit)
        place = self.place = places.make(self.host, self.home, wish, unit)
        self.status.see(phase=Phase.STOPPED)
        return self.runs.sync(unit.runs, place, running=False)

    async def close(self, patience: float = 30.0) -> None:
        """Stop for the end of the supervisor; the wish stays, so the next one starts it again."""
        await self.runs.halt()
        if self.keeper.engine:
            unit = self.unit or self._wished_unit()
            self.status.see(phase=Phase.STOPPING, ready=False)
            await self.keeper.stop(unit, min(patience, unit.stop_patience_seconds if unit else 10.0))
            self.status.see(phase=Phase.STOPPED, message="the platform is shutting down")
        await self.keeper.end_strays()

    def _wished_unit(self) -> Unit | None:
        wish = self.home.wish()
        return codec.unit_from_json(dict(wish.unit)) if wish and wish.unit else None

    async def _wipe(self) -> None:
        """Take everything away."""
        self.status.see(phase=Phase.STOPPING, ready=False, reason="", message="deleting")
        await self.runs.halt()
        await self.keeper.stop(self.unit, 0.0)
        await self.keeper.end_strays()
        self.host.groups.remove(self.home.handle)
        await asyncio.to_thread(self.home.bury)
        self.gone = True
        self.host.wake(self.home.handle)
