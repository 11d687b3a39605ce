"""The companions of one instance: who is to run beside the main process, in what order they go, who is missing."""

import asyncio
from collections.abc import Callable

from portal.clusters.backends.local import files, proc
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.supervisor import places
from portal.clusters.backends.local.supervisor.attendant import Asked, Attendant
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.host import Host
from portal.clusters.backends.local.supervisor.status import Status
from portal.core.drivers import Companion, CompanionState, Unit


class Companions:
    """All of one instance. ``told`` hears of each change of one's state."""

    def __init__(self, home: Home, host: Host, status: Status, told: Callable[[], None]) -> None:
        self._home, self._host, self._status, self._told = home, host, status, told
        self._all: dict[str, Attendant] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def _attendant(self, name: str) -> Attendant:
        if name not in self._all:
            self._all[name] = Attendant(name, self._home, self._host, self._status, self._note)
        return self._all[name]

    def _note(self, name: str, state: CompanionState) -> None:
        """Write down what one came to, and in the same breath that the service can't be used where it can't."""
        seen = self._status.record.seen
        changes: dict[str, object] = {"companions": {**seen.companions, name: state}}
        if seen.ready and not state.ready:
            changes |= {"ready": False, "reason": state.reason, "message": f"{name}: {state.message}"}
        self._status.see(**changes)
        self._told()

    # ---- what is there -----------------------------------------------------------------------------------------------

    @property
    def names(self) -> set[str]:
        """Those that have a process, or may be about to: what carries their mark is no stray."""
        return {name for name, one in self._all.items() if one.is_at_work}

    @property
    def pids(self) -> list[int]:
        """The processes of those that live, each with the sandbox's own outside."""
        living = [one.engine.identity for one in self._all.values() if one.engine]
        return [pid for identity in living for pid in (identity.pid, identity.keeper) if pid]

    @property
    def can_be_used(self) -> bool:
        """Whether all answer, be it as they were asked before."""
        return all(one.state.ready for one in self._all.values())

    @property
    def are_ready(self) -> bool:
        """Whether all answer as asked last."""
        return all(one.is_ready for one in self._all.values())

    @property
    def waited_for(self) -> list[str]:
        """The names of those that may yet become ready by themselves, or say why not."""
        return [name for name, one in self._all.items() if not one.is_ready and not one.is_in_trouble]

    @property
    def trouble(self) -> tuple[str, str]:
        """Reason and message of the first that is not ready and says why; empty where none does."""
        for name, one in self._all.items():
            if not one.is_ready and one.state.reason:
                return one.state.reason, f"{name}: {one.state.message}"
        return "", ""

    @property
    def roots(self) -> list[int]:
        return [one.engine.identity.pid for one in self._all.values() if one.engine]

    def listen_on(self, port: int) -> bool:
        """Whether a port that is taken is taken by one of them."""
        return bool(self._all) and proc.listens(proc.descendants(self.roots, proc.every()), port)

    # ---- what is asked -----------------------------------------------------------------------------------------------

    def ask(self, wish: Wish, unit: Unit, place: Place) -> None:
        """Have every companion of the unit pursued from now on. Raises RenderError."""
        for asked in self._asked(wish, unit, place):
            self._attendant(asked.companion.name).ask(asked)

    def _asked(self, wish: Wish, unit: Unit, place: Place) -> list[Asked]:
        wanted = places.rendered(unit, place, self._home)
        return [self._asked_of(one, wish, unit, place, wanted) for one in unit.companions]

    def _asked_of(self, companion: Companion, wish: Wish, unit: Unit, place: Place, wanted: places.Rendered) -> Asked:
        contents = places.companions(companion, wanted)
        return Asked(
            companion,
            places.digest(unit, place, companion),
            places.digests(contents, self._home, tls=places.companions_tls(unit, companion)),
            unit.restarts,
            place,
            contents,
            frozenset(wanted),
            wish.generation,
        )

    # ---- ending ------------------------------------------------------------------------------------------------------

    async def drop(self, unit: Unit, place: Place) -> None:
        """End those that are no longer rendered, and forget them; what they have made stays where it is."""
        record = self._status.record
        known_names = self._all.keys() | record.companions.keys() | record.seen.companions.keys()
        gone = known_names - {one.name for one in unit.companions}
        if not gone:
            return
        await asyncio.gather(*(self._attendant(name).stop(None) for name in gone))
        known = places.rendered(unit, place, self._home)
        for name in gone:
            places.remove_files(self._home, self._all[name].identity, known)
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._home.companion_prepared(name).unlink(missing_ok=True)
        del self._all[name]
        self._status.record.companions.pop(name, None)
        seen = {other: state for other, state in self._status.record.seen.companions.items() if other != name}
        self._status.see(companions=seen)

    async def stop_outdated(self, wish: Wish, unit: Unit, place: Place) -> None:
        """Stop those that have to start anew, before the main process does: they begin again after it."""
        asked = {one.companion.name: one for one in self._asked(wish, unit, place)} if self._all else {}
        old = [
            one.stop(asked[name].companion)
            for name, one in self._all.items()
            if name in asked and one.engine and one.identity and asked[name].change(one.identity) == "restart"
        ]
        await asyncio.gather(*old)

    async def stop(self, unit: Unit | None, patience: float | None = None) -> None:
        """Stop all, each within its own patience, or within ``patience`` seconds where that is less."""
        declared = {one.name: one for one in unit.companions} if unit else {}
        await asyncio.gather(
            *(one.stop(declared.get(name), _least(declared.get(name), patience)) for name, one in self._all.items())
        )
        for one in self._all.values():
            one.rest_in_peace()
        self._all.clear()

    async def let_go(self) -> None:
        """Leave them to themselves, for another supervisor to adopt."""
        await asyncio.gather(*(one.let_go() for one in self._all.values()))

    def adopt(self) -> bool:
        """Take over those that an earlier supervisor left. Return whether all that it knew of live."""
        names = list(self._status.record.companions)
        self._all = {name: one for name in names if (one := self._attendant(name)).adopt()}
        return len(self._all) == len(names)


def _least(companion: Companion | None, patience: float | None) -> float | None:
    if patience is None or companion is None:
        return patience
    return min(patience, companion.stop_patience_seconds)


def forget_preparation(home: Home) -> None:
    """Forget what was prepared: the directory is made anew from nothing."""
    if home.companions.exists():
        files.remove_tree(home.companions)
