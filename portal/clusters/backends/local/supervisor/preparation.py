"""Making an instance's data directory, from nothing, in one go: out of the stock where there is one, else all of it."""

import logging

from portal.clusters.backends.local import certificates, files
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.supervisor import companions, places
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.groundwork import Groundwork, lay
from portal.clusters.backends.local.supervisor.host import Host
from portal.clusters.backends.local.supervisor.keeper import Keeper
from portal.clusters.backends.local.supervisor.record import now
from portal.clusters.backends.local.supervisor.status import Status
from portal.clusters.backends.local.supervisor.stock import Stock
from portal.clusters.backends.local.supervisor.troubles import Problem
from portal.core.drivers import Command, Phase, Unit

log = logging.getLogger(__name__)


class Preparation:
    """The way to ``home.prepared``. Once that is there the directory is complete and never emptied again."""

    def __init__(self, home: Home, host: Host, stock: Stock, status: Status, keeper: Keeper) -> None:
        self._home, self._host, self._stock = home, host, stock
        self._status, self._keeper = status, keeper

    async def make(self, wish: Wish, unit: Unit, place: Place) -> None:
        """Prepare. Raises Problem where a command fails."""
        self._status.step("prepare", "preparing", phase=Phase.PREPARING, ready=False, reason="", message="")
        self._stock.note(unit)
        await self._keeper.end_strays()
        if await self._from_stock(wish, unit, place):
            return
        self._empty()
        await self._lay_groundwork(unit)
        await self._make_its_own(wish, unit, place)

    def certify(self, unit: Unit, wish: Wish) -> None:
        """Have a certificate that is good for a while."""
        if unit.tls:
            self._host.authority.ensure(self._home.root, self._home.handle, wish.hosts)
            self._status.see(certificate_expires_at=certificates.expires_at(self._home.root))

    async def _from_stock(self, wish: Wish, unit: Unit, place: Place) -> bool:
        """Go on from a directory of the stock. False where there is none, or it turns out to be of no use."""
        self._empty()
        if not self._stock.take(unit, self._home.root):
            return False
        try:
            await self._make_its_own(wish, unit, place)
        except Problem as problem:
            log.warning("%s: a directory from the stock is of no use: %s", self._home.handle, problem)
            self._stock.distrust(unit)
            return False
        return True

    def _empty(self) -> None:
        companions.forget_preparation(self._home)
        files.empty_directory(self._home.root)
        files.empty_directory(self._home.run)

    async def _lay_groundwork(self, unit: Unit) -> None:
        """Do what could have been done beforehand; no more at a time than the machine has processors."""
        if unit.groundwork:
            async with self._host.heavy:
                await lay(self._host, self._home, Groundwork.of(unit), self._perform)

    async def _make_its_own(self, wish: Wish, unit: Unit, place: Place) -> None:
        """Do the part that knows the instance and its secrets."""
        self.certify(unit, wish)
        places.write_files(self._home, places.rendered(unit, place, self._home))
        for command in unit.prepare:
            await self._perform(place, command)
        files.write(self._home.prepared, now().isoformat().encode())

    async def _perform(self, place: Place, command: Command) -> None:
        self._status.step("prepare", command.name)
        await self._keeper.perform(place, command, "PrepareFailed")
