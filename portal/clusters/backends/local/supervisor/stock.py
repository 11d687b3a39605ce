"""A small stock of directories with the groundwork done, made while nobody waits, so that an order need not.

``DIR/stock/<key>/``: ``recipe.json`` (what was ordered; its time is that of the last order), ``ready-*`` (complete and
on the disk), ``making-*``, ``gone-*``. Each comes from a run of its own, so none shares an identity with another. One
rename makes it ready, one rename takes it, one marks it for removal: never half, never twice, whenever we are killed.
No secret is in it, and no engine has run on it with a way in.
"""

import asyncio
import contextlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from portal.clusters.backends.local import files, render
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor import commands
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.groundwork import Groundwork, lay
from portal.clusters.backends.local.supervisor.host import Host
from portal.clusters.backends.local.supervisor.samples import disk_bytes
from portal.core.drivers import Command, Unit

log = logging.getLogger(__name__)
HANDLE = "to-stock"  # the mark of its processes; no service's handle has a hyphen
_RECIPE = TypeAdapter(Groundwork)
_POLITE = ("/usr/bin/nice", "-n", "19")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may lie in stock."""

    each: int = 8  # directories for one release of an offering
    most: int = 16
    most_bytes: int = 1 << 30
    free_bytes: int = 4 << 30  # what the disk must have left; below it the stock is given up
    oldest: float = 7 * 86_400.0  # seconds since a directory was made, or its release ordered last
    quiet: float = 0.3  # seconds without an instance on its way before one is made
    pause: float = 0.1
    after_failure: float = 600.0
    look_again: float = 60.0


class Stock:
    """The stock of one data directory. ``busy`` says whether an instance is on its way, which comes first."""

    def __init__(self, host: Host, busy: Callable[[], bool], bounds: Bounds | None = None) -> None:
        self._host, self._busy = host, busy
        self._bounds = bounds or Bounds()
        self._path = host.data / "stock"
        self._news = asyncio.Event()
        self._is_quiet = False
        self._not_before = 0.0

    # ---- for orders --------------------------------------------------------------------------------------------------

    def note(self, unit: Unit) -> None:
        """Learn that this was ordered: its groundwork is kept in stock from now on."""
        if unit.groundwork and _is_common(unit):
            recipe = self._shelf(unit) / "recipe.json"
            with contextlib.suppress(OSError):  # the stock is a help, never a hindrance
                files.private_directory(recipe.parent)
                files.write_json(recipe, asdict(Groundwork.of(unit)), durable=False)
            self._look_again()

    def take(self, unit: Unit, root: Path) -> bool:
        """Move a prepared directory to ``root``, which is empty or missing. Return whether there was one."""
        for ready in _ready(self._shelf(unit)) if unit.groundwork else ():
            try:
                (ready / "root").rename(root)
            except OSError:
                self._remove(ready)
                continue
            with contextlib.suppress(OSError):
                ready.rmdir()
            self._look_again()
            return True
        return False

    def _look_again(self) -> None:
        self._is_quiet = False
        self._news.set()

    def distrust(self, unit: Unit) -> None:
        """Give up what lies there for this unit: one of them has turned out broken."""
        for ready in _ready(self._shelf(unit)):
            self._remove(ready)
        self._not_before = time.monotonic() + self._bounds.after_failure

    def _shelf(self, unit: Unit) -> Path:
        return self._path / Groundwork.of(unit).key(self._host)

    # ---- keeping it --------------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Remove what a crash left half, what nobody orders any more, and what another package would make now."""
        for shelf in self._shelves():
            for left in (*shelf.glob("making-*"), *shelf.glob("gone-*")):
                files.remove_tree(left)
            if not self._is_of_use(shelf):
                self._clear(shelf)
            for ready in _ready(shelf):
                if _age(ready) > self._bounds.oldest:
                    self._remove(ready)

    def _is_of_use(self, shelf: Path) -> bool:
        recipe = _recipe(shelf)
        is_ordered = _age(shelf / "recipe.json") < self._bounds.oldest
        return recipe is not None and is_ordered and recipe.key(self._host) == shelf.name

    async def keep(self) -> None:
        """Have in stock what is ordered, until cancelled."""
        while True:
            self._news.clear()
            try:
                await asyncio.to_thread(self.sweep)
                self.trim()
                more = await self.make_one()
            except Exception:
                log.exception("keeping the stock failed")
                more = False
            if not more:
                await self._wait_for_news()

    async def make_one(self) -> bool:
        """Make one directory that is missing, once it is quiet. Return whether more may be missing."""
        if self.missing() is None or self._not_before > time.monotonic():
            return False
        if self._busy() or not self._is_quiet:
            await self._until_quiet()
        if wanted := self.missing():
            await self._make(*wanted)
        return True

    async def _wait_for_news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._bounds.look_again):
                await self._news.wait()

    async def _until_quiet(self) -> None:
        """Wait until nothing was on its way for a while."""
        since = time.monotonic()
        while time.monotonic() - since < self._bounds.quiet:
            if self._busy():
                since = time.monotonic()
            await asyncio.sleep(self._bounds.pause)
        self._is_quiet = True

    def missing(self) -> tuple[Path, Groundwork] | None:
        """Return what to make next: what was ordered last comes first."""
        counts = {shelf: len(_ready(shelf)) for shelf in self._shelves()}
        taken = sum(_bytes(ready) for shelf in counts for ready in _ready(shelf))
        if sum(counts.values()) >= self._bounds.most or taken >= self._bounds.most_bytes or not self._has_room():
            return None
        for shelf, count in counts.items():
            recipe = _recipe(shelf)
            if recipe and count < self._bounds.each and not self._host.missing(recipe.packages):
                return shelf, recipe
        return None

    def trim(self) -> None:
        """Where the disk fills or bounds were lowered, what was ordered longest ago goes first."""
        for shelf in reversed(self._shelves()):
            shelves = self._shelves()
            lying = [ready for each in shelves for ready in _ready(each)]
            taken = sum(map(_bytes, lying))
            if self._has_room() and len(lying) <= self._bounds.most and taken <= self._bounds.most_bytes:
                return
            for ready in _ready(shelf):
                self._remove(ready)

    def _has_room(self) -> bool:
        return shutil.disk_usage(self._host.data).free > self._bounds.free_bytes

    async def _make(self, shelf: Path, work: Groundwork) -> None:
        name = secrets.token_hex(6)
        making = Home(self._host.data, HANDLE, shelf / f"making-{name}")
        try:
            files.private_directory(making.root)
            await lay(self._host, making, work, _politely)
            size = await asyncio.to_thread(disk_bytes, making.root)
            making.path.rename(shelf / f"ready-{name}-{size}")
        except (OSError, _Failed, render.RenderError) as error:
            log.warning("no directory could be prepared for the stock: %s", error)
            self._not_before = time.monotonic() + self._bounds.after_failure
        finally:
            files.remove_tree(making.path)

    # ---- shelves -----------------------------------------------------------------------------------------------------

    def _shelves(self) -> list[Path]:
        """Return the directories of all keys, what was ordered last first."""
        found = [path for path in self._path.iterdir() if path.is_dir()] if self._path.is_dir() else []
        return sorted(found, key=lambda shelf: _age(shelf / "recipe.json"))

    def _remove(self, ready: Path) -> None:
        """Remove a directory so that a crash never leaves half of one to be taken."""
        gone = ready.with_name(f"gone-{secrets.token_hex(6)}")
        with contextlib.suppress(OSError):
            ready.rename(gone)
            files.remove_tree(gone)

    def _clear(self, shelf: Path) -> None:
        for ready in _ready(shelf):
            self._remove(ready)
        files.remove_tree(shelf)


class _Failed(Exception):
    """A command of the groundwork failed; the message is one line."""


async def _politely(place: Place, command: Command) -> None:
    """Run a command of the groundwork with the least claim to the processor."""
    limit = command.timeout_seconds
    outcome = await commands.run(
        place, command.argv, stdin=command.stdin, env=command.env, timeout=limit, before=_POLITE
    )
    if not outcome.succeeded:
        raise _Failed(f"{command.name}: {outcome.last_line()}")


def _is_common(unit: Unit) -> bool:
    """Say whether the groundwork names nothing but its directory and packages: anything else would be refused later."""
    texts = [text for c in unit.groundwork for text in (*c.argv, c.stdin, *c.env.values())]
    return render.placeholders(texts) <= {"dir", "package", "lb"}


def _ready(shelf: Path) -> list[Path]:
    """Return what may be taken, oldest first."""
    return sorted(shelf.glob("ready-*"), key=_age, reverse=True)


def _bytes(ready: Path) -> int:
    """Return what a directory takes on the disk, measured once."""
    return int(ready.name.rpartition("-")[2])


def _recipe(shelf: Path) -> Groundwork | None:
    stored = files.read_json(shelf / "recipe.json")
    try:
        return _RECIPE.validate_python(stored) if stored else None
    except ValueError:
        return None


def _age(path: Path) -> float:
    """Return the seconds since a file was written or a directory's entries changed; endless where it is not there."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")
