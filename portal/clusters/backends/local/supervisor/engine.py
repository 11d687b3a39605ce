"""An instance's long-lived process: started so that a crash of ours neither doubles nor orphans it, adopted, stopped.

A start is written down before (nothing but its digests) and after (pid and start time); the sandbox holds the engine
back until the second is on the disk. A supervisor that died in between finds the process by its mark and ends it.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.supervisor.children import Child
from portal.clusters.backends.local.supervisor.commands import Place

_REPEAT = 2.0  # seconds between stop signals: some engines refuse one at a bad moment


@dataclass(slots=True)
class Identity:
    """What is remembered of an engine: which process it is, and what it was started with."""

    pid: int = 0
    start: int = 0
    keeper: int = 0  # the sandbox's own process outside, 0 without a sandbox
    digest: str = ""
    restarts: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)  # path → [digest, on_change]
    started_at: float = 0.0
    sandboxed: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> "Identity | None":
        return cls(**value) if value else None


class StartFailed(Exception):
    """The process did not even begin; the message says why."""


class Engine:
    """A live engine."""

    def __init__(self, identity: Identity, keeper: Child | None = None) -> None:
        self.identity = identity
        self._keeper = keeper
        self._pidfd = os.pidfd_open(identity.pid)
        self.ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._has_ended)

    @classmethod
    def adopt(cls, identity: Identity, data: str, handle: str) -> "Engine | None":
        """Take over an engine that an earlier supervisor started, if it is that very process."""
        if not proc.is_same(identity.pid, identity.start):
            return None
        marks = proc.environ(identity.pid)
        if marks.get("ARCHIPEL_SERVICE") != handle or marks.get("ARCHIPEL_DATA") != data:
            return None
        try:
            engine = cls(identity)
        except ProcessLookupError:
            return None
        return engine if proc.is_same(identity.pid, identity.start) else None

    @property
    def alive(self) -> bool:
        return not self.ended.is_set()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    async def exit_code(self) -> int | None:
        """Return how it ended; None for an adopted one, whose end others were told."""
        if self._keeper is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                return await asyncio.shield(self._keeper.ended)
        return None

    async def stop(self, number: int, patience: float) -> None:
        """Signal until it is gone, and end it by force when patience is over."""
        deadline = time.monotonic() + patience
        while self.alive and (left := deadline - time.monotonic()) > 0:
            self.signal(number)
            await self._wait(min(_REPEAT, left))
        while self.alive:
            self.signal(signal.SIGKILL)
            await self._wait(_REPEAT)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ended.wait()

    def _has_ended(self) -> None:
        self.let_go()
        self.ended.set()

    def let_go(self) -> None:
        """Stop watching without touching the process."""
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1


async def start(
    place: Place, argv: tuple[str, ...], identity: Identity, remember: Callable[[Identity], None], log: Path
) -> Engine:
    """Start an engine. ``remember`` writes its identity down before it may begin. Raises StartFailed."""
    remember(identity)
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab"))
        info, info_end = _pipe(stack)
        block, block_end = _pipe(stack, ours_is_write=True)
        inner = place.confined(place.values.argv(argv))
        walled = place.sandbox.engine(place.room, inner, info_fd=info_end, block_fd=block_end)
        env = place.environment({})
        try:
            child = place.children.spawn(
                walled,
                env=env,
                cwd=place.home.root if not place.sandbox.isolates else place.home.path,
                stdout=output,
                stderr=output,
                pass_fds=(info_end, block_end) if place.sandbox.isolates else (),
            )
        except OSError as error:
            raise StartFailed(f"it could not be started: {error.strerror}") from error
        os.close(info_end)
        os.close(block_end)
        identity.keeper = child.pid if place.sandbox.isolates else 0
        identity.pid = await _told_pid(info, child) if place.sandbox.isolates else child.pid
        return _begin(place, identity, child, remember, block)


async def in_one_piece(start: Coroutine[Any, Any, Engine], hold: Callable[[Engine], None]) -> None:
    """Start, and hand over what was started: a cancellation is heeded once somebody holds it. Raises StartFailed."""
    task = asyncio.create_task(start)
    try:
        hold(await asyncio.shield(task))
    except asyncio.CancelledError:
        with contextlib.suppress(StartFailed):
            hold(await task)
        raise


def _begin(place: Place, identity: Identity, child: Child, remember: Callable[[Identity], None], block: int) -> Engine:
    found = proc.process(identity.pid)
    if found is None:
        raise StartFailed("it ended at once")
    identity.start, identity.started_at, identity.sandboxed = found.start, time.time(), place.sandbox.isolates
    remember(identity)
    place.groups.join(place.home.handle, place.limits, identity.pid)
    try:
        engine = Engine(identity, child)
    except ProcessLookupError:
        raise StartFailed("it ended at once") from None
    with contextlib.suppress(BrokenPipeError):  # it is dead already, which the caller will see
        os.write(block, b"x")
    return engine


def _pipe(stack: contextlib.ExitStack, *, ours_is_write: bool = False) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    ours, theirs = (write_end, read_end) if ours_is_write else (read_end, write_end)
    stack.callback(os.close, ours)
    return ours, theirs


async def _told_pid(info: int, child: Child) -> int:
    """Read from the sandbox which process the engine is; it writes its answer in pieces."""
    loop = asyncio.get_running_loop()
    told = bytearray()
    complete: asyncio.Future[None] = loop.create_future()

    def more() -> None:
        chunk = os.read(info, 4096)
        told.extend(chunk)
        if (not chunk or b"}" in chunk) and not complete.done():
            complete.set_result(None)

    loop.add_reader(info, more)
    try:
        async with asyncio.timeout(10):
            await complete
        return int(json.loads(told)["child-pid"])
    except (TimeoutError, ValueError, KeyError) as error:
        raise StartFailed("its sandbox could not be set up") from error
    finally:
        loop.remove_reader(info)
