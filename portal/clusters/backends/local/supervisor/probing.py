"""Asking a process whether it can be used: in quick succession while it starts, now and then once it has answered."""

import asyncio
import os
import time
from typing import Protocol

from portal.clusters.backends.local.supervisor import commands
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.engine import Engine
from portal.core.drivers import Probe

PATIENT = 60.0  # seconds without readiness after which the state says why
MISSES = 3  # failed probes after which what was ready is so no longer
_SHY = 5.0  # seconds that a process may take to show itself before it is asked all the same


class Keeping(Protocol):
    """Who keeps the process that is asked."""

    @property
    def is_alive(self) -> bool:
        """Whether the process goes on."""
        ...

    @property
    def has_news(self) -> bool:
        """Whether something new may be asked."""
        ...

    async def rest(self, delay: float) -> None:
        """Wait ``delay`` seconds, for the process's end or for news."""
        ...

    def doubt(self, line: str, waited: float) -> None:
        """Take note of a miss, ``waited`` seconds after the first try."""
        ...


async def until_answer(keeping: Keeping, probe: Probe, place: Place, *, starting: bool) -> bool:
    """Probe until it answers. False where it ends before, or there is news."""
    since = time.monotonic()
    if starting:
        await _until_there(keeping, place.values.text(probe.after, secrets=False))
    pause = 0.01
    while keeping.is_alive:
        limit = probe.timeout_seconds
        outcome = await commands.run(place, probe.argv, stdin=probe.stdin, env=probe.env, timeout=limit)
        if outcome.succeeded:
            return True
        keeping.doubt(outcome.last_line(), time.monotonic() - since)
        if keeping.has_news:
            return False
        await keeping.rest(pause)
        pause = min(0.3, pause * 1.4)
    return False


async def _until_there(keeping: Keeping, path: str) -> None:
    """Wait for what a process shows before it can answer: looking for that is cheaper than asking in vain."""
    deadline, pause = time.monotonic() + _SHY, 0.002
    while path and not os.path.lexists(path) and time.monotonic() < deadline:
        if keeping.has_news or not keeping.is_alive:
            return
        await asyncio.sleep(pause)
        pause = min(0.05, pause * 1.2)


async def rest(delay: float, news: asyncio.Event, engine: Engine | None) -> None:
    """Wait for news, for the process's end, or for ``delay`` seconds."""
    waits = [asyncio.ensure_future(news.wait())]
    if engine:
        waits.append(asyncio.ensure_future(engine.ended.wait()))
    try:
        await asyncio.wait(waits, timeout=max(0.0, delay), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
