"""The part of a preparation that depends on nothing of the instance: run for one, or beforehand for the stock.

Its commands see their own directory and the packages, nothing else: no port, secret, input or file can get in.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from portal.clusters.backends.local import files
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.render import Values
from portal.clusters.backends.local.sandbox import Room
from portal.clusters.backends.local.supervisor.commands import Place, base_environment
from portal.clusters.backends.local.supervisor.host import Host
from portal.core.drivers import Command, Limits, Unit

Perform = Callable[[Place, Command], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Groundwork:
    """What is to be run, with which packages."""

    packages: tuple[str, ...]
    commands: tuple[Command, ...]

    @classmethod
    def of(cls, unit: Unit) -> "Groundwork":
        return cls(unit.packages, unit.groundwork)

    def key(self, host: Host) -> str:
        """Return a digest of all that the result depends on, the fetched packages included."""
        built = [files.read_json(host.packages / name / "manifest.json") for name in self.packages]
        parts = json.dumps([asdict(self), built], sort_keys=True, default=str)
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


async def lay(host: Host, home: Home, work: Groundwork, perform: Perform) -> None:
    """Run the groundwork in ``home`` and see it on the disk. ``perform`` runs a command and raises where it fails."""
    place = _place(host, home, work)
    for command in work.commands:
        await perform(place, command)
    await asyncio.to_thread(files.sync_tree, home.root)


def _place(host: Host, home: Home, work: Groundwork) -> Place:
    packages = {key: host.packages / key for key in work.packages}
    values = Values({"dir": home.root}, packages=packages)
    room = Room(home.handle, writable=(home.root,), readable=tuple(packages.values()), start_in=home.root)
    env = base_environment(home, values, {})
    return Place(home, host.children, host.sandbox, host.groups, room, values, Limits(), env)
