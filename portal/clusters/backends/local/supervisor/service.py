"""The supervisor as a process: one for each data directory, started by ``manage.py supervisor``.

SIGTERM or SIGINT ends it with all instances; SIGUSR1 or the operation ``detach`` ends it alone, for the next one to
adopt them. A kill in the middle of anything costs time, never an instance.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from portal.clusters.backends.local import files, layout, limits, proc
from portal.clusters.backends.local.certificates import Authority
from portal.clusters.backends.local.sandbox import Sandbox
from portal.clusters.backends.local.supervisor import control
from portal.clusters.backends.local.supervisor.children import Children
from portal.clusters.backends.local.supervisor.host import Host, find_sandbox
from portal.clusters.backends.local.supervisor.instance import Instance
from portal.clusters.backends.local.supervisor.sampling import sample_forever
from portal.clusters.backends.local.supervisor.stock import Stock

log = logging.getLogger(__name__)
RESCAN = 2.0  # seconds: how late a wish whose poke got lost is seen
END_WITHIN = 40.0


class AlreadyRunning(Exception):
    """Another supervisor has this data directory."""


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the data directory; a killed supervisor lets go of it by itself."""
    with (data / "supervisor.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"another supervisor is at work in {data}") from None
        yield


def serve(data: Path, packages: Path, wake: Callable[[str], None]) -> None:
    """Supervise until told to end. Raises AlreadyRunning, PermissionError (as root)."""
    if os.geteuid() == 0:
        raise PermissionError("the supervisor does not run as root: engines would, too")
    os.umask(0o077)
    files.private_directory(data / "services")
    with _alone(data):
        asyncio.run(Supervisor(data, packages, wake).run())


class Supervisor:
    """All instances of one data directory."""

    def __init__(self, data: Path, packages: Path, wake: Callable[[str], None]) -> None:
        accounts = data / "sandbox"
        self.host = Host(
            data, packages, Children(), Sandbox(None, accounts), limits.find_groups(), Authority(data), wake
        )
        self.stock = Stock(self.host, self._is_busy)
        self._instances: dict[str, Instance] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._wishes: dict[str, tuple[int, int]] = {}
        self._end = asyncio.Event()
        self._detach = self._working = False

    async def run(self) -> None:
        """Supervise until the end is asked for."""
        self.host.children.watch()
        self._heed_signals()
        server = await control.listen(self.host.data, self._answer)
        work = asyncio.create_task(self._work())
        end = asyncio.create_task(self._end.wait())
        await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, end):
            task.cancel()
        failed = (await asyncio.gather(work, end, return_exceptions=True))[0]
        server.close()
        await self._leave()
        if isinstance(failed, Exception):
            raise failed

    async def _work(self) -> None:
        """Find out what the host can do, then look after all instances."""
        layout.sweep_trash(self.host.data)
        self.host.sandbox = await find_sandbox(self.host)
        log.info("supervising %s (%s)", self.host.data, self.host.sandbox.reason or "isolated")
        await self._end_unknown()
        async with asyncio.TaskGroup() as work:
            work.create_task(sample_forever(self.host, self._instances))
            work.create_task(self._watch())
            work.create_task(self.stock.keep())

    def _is_busy(self) -> bool:
        return any(instance.on_its_way for instance in self._instances.values())

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        loop.add_signal_handler(signal.SIGUSR1, self._detach_now)

    def _detach_now(self) -> None:
        self._detach = True
        self._end.set()

    async def _watch(self) -> None:
        """Look for new instances and changed wishes now and then: a poke may be lost."""
        self._working = True
        while True:
            for handle in layout.handles(self.host.data):
                self._look(handle)
            await asyncio.sleep(RESCAN)

    def _look(self, handle: str) -> None:
        """Have a life for an instance, and poke it when its wish or its secrets have changed."""
        home = layout.Home(self.host.data, handle)
        stamp = home.stamp()
        if stamp is None or self._end.is_set() or not self._working:
            return
        life = self._lives.get(handle)
        if life is None or life.done():
            self._instances[handle] = Instance(home, self.host, self.stock)
            self._lives[handle] = asyncio.create_task(self._live(handle))
        elif self._wishes.get(handle) != stamp:
            self._instances[handle].poke()
        self._wishes[handle] = stamp

    async def _live(self, handle: str) -> None:
        try:
            await self._instances[handle].live()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s: its life ended by a bug and begins anew", handle)
        if self._instances[handle].gone:
            self._instances.pop(handle)
            self._wishes.pop(handle, None)

    async def _end_unknown(self) -> None:
        """End marked processes of instances that have no directory any more."""
        known = set(layout.handles(self.host.data))
        for handle in set(proc.by_instance(self.host.data)) - known:
            await self.host.end_strays(handle)

    async def _leave(self) -> None:
        """Stop looking; then stop every instance, unless they are to be adopted."""
        for life in self._lives.values():
            life.cancel()
        await asyncio.gather(*self._lives.values(), return_exceptions=True)
        if self._detach:
            await asyncio.gather(*(instance.detach() for instance in self._instances.values()))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN - 5):
                await self._close_all()
        for handle in proc.by_instance(self.host.data):
            await self.host.end_strays(handle)
        self.host.children.reap()

    async def _close_all(self) -> None:
        """Stop all at once, those too that an end right after the beginning left unadopted."""
        for handle in set(layout.handles(self.host.data)) - set(self._instances):
            self._instances[handle] = Instance(layout.Home(self.host.data, handle), self.host, self.stock)
            await self._instances[handle].adopt()
        ends = (instance.close() for instance in self._instances.values())
        await asyncio.gather(*ends, return_exceptions=True)

    # ---- the socket --------------------------------------------------------------------------------------------------

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        operation, handle = question.get("op"), str(question.get("handle", ""))
        if operation == "ping":
            return {"ok": True, "pid": os.getpid(), "instances": len(self._instances)}
        if operation == "poke":
            return self._poked(handle)
        if operation == "metrics":
            return self._metrics(handle, question)
        if operation == "detach":
            self._detach_now()
            return {"ok": True}
        return {"error": f"there is no operation {operation!r}"}

    def _poked(self, handle: str) -> dict[str, Any]:
        if handle.isalnum():
            self._look(handle)
            if handle in self._instances:
                self._instances[handle].poke()
        return {"ok": True}

    def _metrics(self, handle: str, question: dict[str, Any]) -> dict[str, Any]:
        instance = self._instances.get(handle)
        since, until = float(question.get("since", 0)), float(question.get("until", 1e12))
        return {"series": instance.ring.series(since, until) if instance else {}}
