"""One instance's way from wish to running process. Level-triggered: each look compares and does what is missing.

A look may be cut off when the wish turns from running to stopped or absent; every step is safe to repeat.
"""

import asyncio
import time
from pathlib import Path

from portal.clusters.backends.local import codec
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.supervisor import logs, places, probing
from portal.clusters.backends.local.supervisor.answers import Answers
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.companions import Companions
from portal.clusters.backends.local.supervisor.host import FetchFailed, Host
from portal.clusters.backends.local.supervisor.keeper import Keeper
from portal.clusters.backends.local.supervisor.preparation import Preparation
from portal.clusters.backends.local.supervisor.record import now
from portal.clusters.backends.local.supervisor.runs import Runs, sweep_artifacts
from portal.clusters.backends.local.supervisor.samples import Ring
from portal.clusters.backends.local.supervisor.status import Status
from portal.clusters.backends.local.supervisor.stock import Stock
from portal.clusters.backends.local.supervisor.troubles import Problem, explain
from portal.core.drivers import Phase, Unit

_ROUTINE = 3600.0
_BESIDE = "companions"  # the step in which they start
_ON_THE_WAY = (Phase.QUEUED, Phase.FETCHING, Phase.PREPARING, Phase.STARTING, Phase.STOPPING)


class Instance:
    """One supervised service."""

    def __init__(self, home: Home, host: Host, stock: Stock) -> None:
        self.home, self.host = home, host
        self.status = Status(home, host.wake, self._is_at_rest)
        self._news = asyncio.Event()
        self.companions = Companions(home, host, self.status, self._news.set)
        self.keeper = Keeper(home, host, self.status, self.companions)
        self._answers = Answers(self.status, self.keeper, self._news)
        self._preparation = Preparation(home, host, stock, self.status, self.keeper)
        self.ring = Ring()
        self.unit: Unit | None = None
        self.place: Place | None = None
        self.gone = False
        self.runs = Runs(self.status.record, self.status.tell, self._news.set)
        self._look: asyncio.Task[float] | None = None
        self._looking_for = ""
        self._last_generation = -1

    @property
    def on_its_way(self) -> bool:
        """Whether somebody waits for it; where a step takes very long, others need not wait for that as well."""
        seen = self.status.record.seen
        begun = seen.steps[-1].started_at if seen.steps else None
        patient = begun is None or (now() - begun).total_seconds() < probing.PATIENT
        looking = (self._look is not None and seen.phase in _ON_THE_WAY) or bool(self.companions.waited_for)
        return patient and (looking or (seen.ready and not self._is_at_rest()))

    @property
    def roots(self) -> tuple[int, ...]:
        """The processes that all others come from, companions included."""
        main = [self.keeper.engine.identity.pid] if self.keeper.engine else []
        return (*main, *self.companions.roots)

    @property
    def logs(self) -> tuple[Path, ...]:
        """The files that processes write their output to."""
        directory = self.home.log
        return (logs.engine_log(directory), *(logs.companion_log(directory, name) for name in self.companions.names))

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
        try:
            while not self.gone:
                self._news.clear()
                wish = self.home.wish()
                if wish is None:
                    return
                delay = await self._guarded(wish)
                if not self.gone:
                    await self._answers.rest(self.status.catch_up(delay))
        finally:
            await self.companions.let_go()

    def poke(self) -> None:
        """Look at the wish again, now; a look that pursues the opposite is cut off."""
        self._news.set()
        wish = self.home.wish()
        if wish and self._look and wish.want != self._looking_for:
            self._look.cancel()

    async def adopt(self) -> None:
        """Begin where an earlier supervisor left off."""
        self.home.tidy()
        all_live = self.companions.adopt()
        await self.keeper.adopt()
        if self.keeper.engine is None and self.status.record.seen.phase is Phase.RUNNING:
            self.status.see(phase=Phase.QUEUED, ready=False)
        elif not all_live:
            self.status.see(ready=False)

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
        self._answers.forget()
        problem = explain(error, self.home.handle)
        self.status.see(phase=Phase.FAILED, ready=False, reason=problem.reason, message=str(problem))
        return problem.retry

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
        await self.companions.drop(unit, place)
        await self.keeper.match(wish, unit, place)
        if self.keeper.engine is None:
            await self.companions.stop_outdated(wish, unit, place)
            if left := self.keeper.failures.left:
                return left
            if self.runs.busy:  # work that must have the engine stopped, or that is being cut off
                self.runs.hold(unit.runs)
                return 0.2
            await self.keeper.start(wish, unit, place)
            self._answers.forget()
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
        if not await self._answers.come(wish, unit.probe, place):
            return 0.0 if self._news.is_set() else 1.0
        self.keeper.forgive()
        if unit.companions:
            self.companions.ask(wish, unit, place)
            if not self.companions.are_ready:
                return self._wait_for_companions(unit, place)
        documents = {document.kind: document.revision for document in unit.documents}
        found = {"ready": True, "reason": "", "message": "", "generation": wish.generation, "documents": documents}
        self.status.finish_steps(phase=Phase.RUNNING, **found)
        return self._work(unit, place)

    def _work(self, unit: Unit, place: Place) -> float:
        """Do what needs a running engine."""
        retry = self.runs.sync(unit.runs, place, running=True)
        self._sweep_artifacts(unit)
        return min(unit.probe.every_seconds, retry, _ROUTINE)

    def _wait_for_companions(self, unit: Unit, place: Place) -> float:
        """Say which are missing; runs wait for those that are on their way, not for one in trouble."""
        coming, (reason, message) = self.companions.waited_for, self.companions.trouble
        seen, usable = self.status.record.seen, self.companions.can_be_used
        if coming and not usable:
            message = message or f"waiting for {', '.join(coming)}"
            if not seen.steps or seen.steps[-1].name != _BESIDE or seen.steps[-1].finished_at:
                self.status.step(_BESIDE, message)
        is_up = not coming or usable or seen.phase is Phase.RUNNING
        phase = Phase.RUNNING if is_up else Phase.STARTING
        self.status.see(phase=phase, ready=usable, reason=reason, message=message)
        if coming:
            self.runs.hold(unit.runs)
            return unit.probe.every_seconds
        return self._work(unit, place)

    def _sweep_artifacts(self, unit: Unit) -> None:
        if not self.runs.busy:
            sweep_artifacts(self.home.artifacts, (*unit.keep_artifacts, *(run.artifact for run in unit.runs)))

    # ---- not serving -------------------------------------------------------------------------------------------------

    async def _be_stopped(self, wish: Wish, unit: Unit) -> float:
        if self.keeper.engine or self.companions:
            self.status.see(phase=Phase.STOPPING, ready=False, reason="", message="")
            await self.runs.halt(engine_only=True)
            await self.companions.stop(unit)
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

    async def detach(self) -> None:
        """Leave all processes to the next supervisor but the one-shots, which have to end."""
        await self.companions.let_go()
        await self.runs.halt()

    async def close(self, patience: float = 30.0) -> None:
        """Stop for the end of the supervisor; the wish stays, so the next one starts it again."""
        await self.runs.halt()
        if self.keeper.engine or self.companions:
            began = time.monotonic()
            unit = self.unit or self._wished_unit()
            self.status.see(phase=Phase.STOPPING, ready=False)
            await self.companions.stop(unit, patience / 2)
            left = patience - (time.monotonic() - began)
            await self.keeper.stop(unit, min(left, unit.stop_patience_seconds if unit else 10.0))
            self.status.see(phase=Phase.STOPPED, message="the platform is shutting down")
        await self.keeper.end_strays()

    def _wished_unit(self) -> Unit | None:
        wish = self.home.wish()
        return codec.unit_from_json(dict(wish.unit)) if wish and wish.unit else None

    async def _wipe(self) -> None:
        """Take everything away."""
        self.status.see(phase=Phase.STOPPING, ready=False, reason="", message="deleting")
        await self.runs.halt()
        await self.companions.stop(self.unit, 0.0)
        await self.keeper.stop(self.unit, 0.0)
        await self.keeper.end_strays()
        self.host.groups.remove(self.home.handle)
        await asyncio.to_thread(self.home.bury)
        self.gone = True
        self.host.wake(self.home.handle)
