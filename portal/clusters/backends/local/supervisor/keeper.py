"""Keeps one instance's engine: starts it, brings it to a changed unit, notes its crashes, stops and adopts it."""

import time

from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.ports import bindable
from portal.clusters.backends.local.supervisor import commands, engine, logs, places, signals
from portal.clusters.backends.local.supervisor.children import exit_line
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.companions import Companions
from portal.clusters.backends.local.supervisor.engine import Engine, Identity, StartFailed
from portal.clusters.backends.local.supervisor.host import Host
from portal.clusters.backends.local.supervisor.record import now
from portal.clusters.backends.local.supervisor.status import Status
from portal.clusters.backends.local.supervisor.troubles import STABLE, Failures, Problem
from portal.core.drivers import Command, Phase, Unit


class Keeper:
    """The engine of one instance; ``engine`` is None while none runs."""

    def __init__(self, home: Home, host: Host, status: Status, companions: Companions) -> None:
        self._home, self._host, self._status, self._companions = home, host, status, companions
        self.engine: Engine | None = None
        self.failures = Failures()
        self._is_clean = False  # whether strays were ended since something of ours could have become one

    @property
    def identity(self) -> Identity | None:
        return self._status.record.identity

    # ---- starting ----------------------------------------------------------------------------------------------------

    async def start(self, wish: Wish, unit: Unit, place: Place) -> None:
        """Start the engine. Raises Problem where it can't be."""
        self._status.step("start", "starting", phase=Phase.STARTING, ready=False, message="")
        await self.end_strays()
        self._check_ports(wish)
        wanted = places.rendered(unit, place, self._home)
        mine = places.mains(unit, wanted)
        places.write_files(self._home, mine)
        places.remove_files(self._home, self.identity, wanted)
        for command in unit.before_start:
            await self.perform(place, command, "StartFailed")
        logs.rotate(logs.engine_log(self._home.log))
        digests = places.digests(mine, self._home, tls=places.mains_tls(unit))
        fresh = Identity(digest=places.digest(unit, place), restarts=unit.restarts, files=digests)
        try:
            log = logs.engine_log(self._home.log)
            self._is_clean = False
            await engine.in_one_piece(
                engine.start(place, unit.argv, fresh, self._status.record.remember, log), self._hold
            )
        except StartFailed as error:
            await self.end_strays()
            self.failures.add()
            raise Problem("StartFailed", self._last_words() or str(error), self.failures.left) from error
        self._status.step("probe", "waiting for the first answer", started_at=now())

    def _check_ports(self, wish: Wish) -> None:
        for name, port in wish.ports.items():
            if not bindable(port) and not self._companions.listen_on(port):
                raise Problem("PortTaken", f"Port {port} ({name}) is used by another program on this machine.", 5.0)

    def _hold(self, started: Engine) -> None:
        self.engine = started

    async def perform(self, place: Place, command: Command, reason: str) -> None:
        """Run one command of the unit. Raises Problem with ``reason`` where it fails."""
        limit = command.timeout_seconds
        was_clean, self._is_clean = self._is_clean, False
        outcome = await commands.run(place, command.argv, stdin=command.stdin, env=command.env, timeout=limit)
        self._is_clean = was_clean and place.sandbox.isolates  # its process space has ended with it
        logs.write_run(self._home.log, command.name, outcome.output())
        if not outcome.succeeded:
            raise Problem(reason, f"{command.name}: {outcome.last_line()}")

    # ---- while it runs -----------------------------------------------------------------------------------------------

    async def match(self, wish: Wish, unit: Unit, place: Place) -> None:
        """Bring a running engine to what is asked: nothing, a reload, or a stop so that it starts anew."""
        identity = self.identity
        if self.engine is None or identity is None:
            return
        wanted = places.rendered(unit, place, self._home)
        mine = places.mains(unit, wanted)
        digests = places.digests(mine, self._home, tls=places.mains_tls(unit))
        change = places.change(identity, unit, unit.restarts, digests, places.digest(unit, place))
        places.write_files(self._home, mine)
        places.remove_files(self._home, identity, wanted)
        if change == "restart":
            self._status.see(phase=Phase.STOPPING, ready=False, message="restarting")
            await self._companions.stop_outdated(wish, unit, place)
            await self.stop(unit)
            return
        if change == "reload":
            self.engine.signal(signals.number(unit.reload_signal))
        if change:
            identity.files = digests
            self._status.record.remember(identity)

    def forgive(self) -> None:
        """Forget crashes once it has run for a while."""
        if self.identity and time.time() - self.identity.started_at > STABLE:
            self.failures.forget()

    async def mourn(self) -> None:
        """Take note of an end that nobody asked for."""
        dead, self.engine = self.engine, None
        if dead is None:
            return
        self.forgive()
        self.failures.add()
        how = exit_line(await dead.exit_code())  # before its sandbox is ended as well, which would hide the cause
        await self.end_strays()
        said = self._last_words()
        self._status.see(
            phase=Phase.FAILED if self.failures.looping else Phase.STARTING,
            ready=False,
            reason="CrashLoop" if self.failures.looping else "Crashed",
            message=f"{how}{': ' if said else ''}{said}",
            crashes=self._status.record.seen.crashes + 1,
        )

    def _last_words(self) -> str:
        """Return what the engine wrote last; customers read it, so no secret may stand in it."""
        return logs.last_line(self._home.log, self._home.secrets())

    # ---- ending ------------------------------------------------------------------------------------------------------

    async def stop(self, unit: Unit | None, patience: float | None = None) -> None:
        """Stop the engine as its unit says, within ``patience`` seconds where given."""
        if self.engine:
            number = signals.number(unit.stop_signal if unit else "SIGTERM")
            usual = unit.stop_patience_seconds if unit else 10.0
            await self.engine.stop(number, usual if patience is None else patience)
            self.engine = None

    async def end_strays(self) -> None:
        """End processes of this instance that nobody keeps; but for companions none lives beside the one we start."""
        if self.engine is None and not self._is_clean:
            beside = self._companions
            await self._host.end_strays(self._home.handle, keep=beside.pids, spare=beside.names)
            self._is_clean = True

    async def adopt(self) -> None:
        """Take over what an earlier supervisor left, and end what it left by mistake."""
        identity = self.identity
        if identity:
            self.engine = Engine.adopt(identity, str(self._home.data), self._home.handle)
        keep = [identity.pid, identity.keeper] if self.engine and identity else []
        await self._host.end_strays(self._home.handle, keep=[*keep, *self._companions.pids])
        self._is_clean = self.engine is None
