"""The life of an instance under ``up``: in which order its parts start, what is prepared before, how all of it ends."""

import compileall
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from portal.bootstrap import running
from portal.bootstrap.say import say
from portal.instance import commands, logs, probe
from portal.instance.care import upgrading
from portal.instance.child import Child
from portal.instance.failed import Failed
from portal.instance.keeper import Deadline, Keeper, become_subreaper
from portal.instance.prepared import Prepared
from portal.instance.processes import Kept, Role
from portal.instance.stores import Stores, embedded
from portal.instance.sweep import sweep

STOPPING = 55.0  # seconds that an orderly stop may take
PATIENCE = 300.0  # seconds until the first answer, after the database was prepared
HOPELESS = 5  # failures of one role before the ready line that end the attempt
PORTAL = ("watch", "beat", "worker", "web")


class Instance:
    """One data directory being served on one port."""

    def __init__(self, root: Path, data: Path, port: int) -> None:
        self.root, self.data, self.port = root, data, port
        self.environment = embedded(data, ARCHIPEL_PORT=str(port), ARCHIPEL_SIGN_IN_BY_LINK="1")
        self.keeper = Keeper(data)
        self.stores = Stores(data, self.environment, self.keeper)
        self.deadline = Deadline(STOPPING)
        self.adopting = False  # one that was served before is never given up

    # ---- start -------------------------------------------------------------------------------------------------------

    def start(self, *, adopt: bool) -> None:
        """Bring everything up and return when it answers. Raises Failed."""
        self.adopting = adopt
        become_subreaper()
        (self.data / "run" / "stopping").unlink(missing_ok=True)
        if not adopt:
            self._clear_leftovers()
        compileall.compile_dir(str(self.root / "portal"), quiet=2)
        compileall.compile_dir(str(self.root / "apps"), quiet=2)
        self.stores.start()
        link = self._prepare_and_start(adopt=adopt)
        self._wait_until_ready(link)

    def _clear_leftovers(self) -> None:
        """Kill what a killed ``up`` has left of the portal. Its database and engines are taken over instead."""
        for role in (*self._portal_roles(), self._guardian()):
            kept = Kept(role, self.data)
            if kept.adopt():
                kept.kill()
        running.refuse_taken_port(self.port)

    def _prepare_and_start(self, *, adopt: bool) -> Child:
        """Prepare the database first where it has to be; otherwise everything starts at a time."""
        prepared = Prepared(self.root, self.data)
        lacking = prepared.lacking()
        if lacking:
            child = self._child("prepare", *(f"--{name}" for name in lacking))
            self._turn_until(child.ended)
            if child.code:
                raise Failed("preparing the instance failed (see above)")
            prepared.note(lacking)
        for role in (*self._portal_roles(), self._guardian()):
            self.keeper.add(role, adopt=adopt)
        return self._child("prepare", "--link")

    def _child(self, *arguments: str) -> Child:
        child = Child(commands.manage(*arguments), {**self.environment, "ARCHIPEL_ROLE": "prepare"})
        self.keeper.spared.add(child.pid)
        return child

    def _portal_roles(self) -> Iterable[Role]:
        term, quit_ = signal.SIGTERM, signal.SIGQUIT
        yield self._role("supervisor", lambda: commands.manage("supervisor"), ((term, 40.0),))
        yield self._role("worker", commands.worker, ((term, 6.0), (quit_, 2.0)))
        yield self._role("web", lambda: commands.web(self.port), ((term, 6.0), (quit_, 1.0)))
        yield self._role("beat", commands.beat, ((term, 3.0),))
        yield self._role("watch", commands.watch, ((term, 3.0),))

    def _guardian(self) -> Role:
        return self._role("guardian", commands.guardian, ((signal.SIGTERM, 2.0),))

    def _role(
        self, name: str, command: Callable[[], list[str]], steps: tuple[tuple[signal.Signals, float], ...]
    ) -> Role:
        return Role(name, command, self.environment, steps)

    # ---- run ---------------------------------------------------------------------------------------------------------

    def _wait_until_ready(self, link: Child) -> None:
        say("waiting for everything to answer")
        self._turn_until(probe.Wait(self.port, seconds=None if self.adopting else PATIENCE).over)
        self._turn_until(link.ended)
        upgrading.forget_older(self.data)
        if link.output:
            say(f"sign in (once, within 10 minutes): http://{running.HOST}:{self.port}{link.output}")

    def _turn_until(self, done: Callable[[], bool]) -> None:
        while not done():
            for name in self.keeper.turn(0.05):
                self._note_failure(self.keeper.kept[name])

    def _note_failure(self, kept: Kept) -> None:
        if kept.failures >= HOPELESS and not self.adopting:
            raise Failed(f"{kept.role.name} ends as soon as it starts; from {kept.log}:\n{logs.tail(kept.log)}")

    def keep_running(self) -> None:
        """Restart what ends, for ever; a signal's exception ends it."""
        while True:
            for name in self.keeper.turn():
                say(f"{name} has ended and is started again")

    # ---- stop --------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End everything in an order in which nothing fails for want of another, then see that nothing is left."""
        with suppress(OSError):
            (self.data / "run" / "stopping").touch()
        self.deadline = Deadline(STOPPING)
        self.keeper.stop(PORTAL, self.deadline)
        self.keeper.stop(["supervisor"], self.deadline)
        self.stores.stop(self.deadline)
        self.keeper.stop(["guardian"], self.deadline)
        sweep(self.data)

    def hurry(self) -> None:
        """Cut short what is still waited for."""
        self.deadline.hurried = True
