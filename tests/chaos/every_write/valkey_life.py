"""A Valkey's whole life with its supervisor: real engines, a primary and a replica, and the front before them."""

import signal
from collections.abc import Callable, Mapping
from functools import partial

import redis

from apps.databases.offerings.valkey.spec import ValkeySpec
from portal.core.drivers import ChildView, Phase
from tests.chaos.every_write.struck import HANDLE, Point, Struck
from tests.databases.valkey import DRIVER, ValkeyService, child, plan

RELEASE = "9.1.2"
NODES = (1, 2)


class ValkeyLife:
    """One service that is asked for, changed, killed in part, stopped, started and deleted."""

    in_short: tuple[str, ...] = ()
    patience = 90.0

    def __init__(self, struck: Struck) -> None:
        self.struck = struck
        spec = ValkeySpec(replicas=1, appendfsync="always")
        self.service = ValkeyService(struck, HANDLE, RELEASE, plan=plan("dev-1"), spec=spec)
        self.written, self.deleted = 0, False

    def steps(self) -> Mapping[str, Callable[[Point], None]]:
        return {
            "order": self._asks(lambda: None),
            "settings": self._asks(lambda: self._respec(maxmemory_policy="allkeys-lru")),
            "another login": self._asks(lambda: self._add("users", "app", keys=("app:*",))),
            "back up": self._asks(lambda: self._add("backups", "backup-1")),
            "primary killed": self._kills("engine"),
            "replica killed": self._kills("node-2"),
            "front killed": self._kills("front"),
            "promote": self._asks(lambda: self._respec(primary=2)),
            "promoted one killed": self._kills("node-2"),
            "adopt": self._adopt,
            "snapshots as well": self._asks(lambda: self._respec(persistence="both")),
            "stop": self._asks(lambda: self._change(running=False)),
            "start": self._asks(lambda: self._change(running=True)),
            "other files": self._asks(lambda: self._respec(databases=32)),
            "end and begin": self._end,
            "delete": self._delete,
        }

    # ---- what is asked -----------------------------------------------------------------------------------------------

    def _asks(self, change: Callable[[], None]) -> Callable[[Point], None]:
        """Return the step that asks for a change of a supervisor that dies at the point."""
        return partial(self._ask, change)

    def _ask(self, change: Callable[[], None], point: Point) -> None:
        self.struck.arm(point)
        change()
        self.service.turn()

    def _change(self, **changes: object) -> None:
        """Change the service without waiting, as it is waited for elsewhere."""
        settle, self.service.settle = self.service.settle, lambda: self.service  # type: ignore[method-assign]
        self.service.change(**changes)
        self.service.settle = settle  # type: ignore[method-assign]

    def _respec(self, **values: object) -> None:
        self._change(spec=self.service.view.spec.model_copy(update=values))

    def _add(self, kind: str, name: str, **values: object) -> None:
        number = 10 + len(self.service.view.children)
        self._change(children=(*self.service.view.children, child(kind, name, number, **values)))

    def _kills(self, name: str) -> Callable[[Point], None]:
        return partial(self._kill, name)

    def _kill(self, name: str, point: Point) -> None:
        """Kill one of its processes under the supervisor."""
        victim = self.struck.pid(HANDLE) if name == "engine" else self.struck.companion(HANDLE, name)
        self.struck.arm(point)
        self.struck.strike_down(victim)

    def _adopt(self, point: Point) -> None:
        """Kill the supervisor alone; the next one takes over what it left."""
        self.struck.kill()
        self.struck.aim(point)
        self.struck.begin()

    def _end(self, point: Point) -> None:
        """End the supervisor with all it keeps; the next one begins again."""
        self.struck.arm(point)
        self.struck.signal(signal.SIGTERM)
        self.struck.eventually(lambda: self.struck.died, "it ends", self.patience)

    def _delete(self, point: Point) -> None:
        self.struck.arm(point)
        unit = DRIVER.render(self.service.view)
        self.struck.wish(HANDLE, unit, want="absent", generation=self.service.view.generation + 1)
        self.deleted = True

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def is_done(self) -> bool:
        """Whether the service is as asked by its driver's own judgement, and its processes are those of one service."""
        if self.deleted:
            return self.struck.home.buried() and not self.struck.left()
        seen, state = self.service.turn(), self.service.state()
        if not seen.settled or not all(map(self._is_there, self.service.view.children)):
            return False
        if not self.service.view.running:
            return state.phase is Phase.STOPPED and self.struck.no_process()
        return state.ready and self._roles() == {self._primary: "master", 3 - self._primary: "slave"}

    def _is_there(self, row: ChildView) -> bool:
        """Whether a login has come to every node, be it at a second try; a backup that a kill cut off has failed."""
        if row.kind == "backups":
            return row.state == "succeeded" or (row.state == "failed" and self.struck.deaths > 0)
        return row.state == "ready"

    @property
    def _primary(self) -> int:
        return int(self.service.view.facts["primary"])

    def _roles(self) -> dict[int, str]:
        """Return who is what; nothing where one of them does not answer."""
        if not self.struck.one_engine():
            return {}
        try:
            return {node: str(self.service.info(node)["role"]) for node in NODES}
        except redis.RedisError:
            return {}

    def check(self, step: str) -> None:
        """No write that was answered is lost, none is done twice, and the replica has them all."""
        if self.deleted or not self.service.view.running:
            return
        with self.service.own(self._primary) as leader:
            assert int(leader.get("written") or 0) == self.written, f"after {step}"
            self.written = int(leader.incr("written"))
        with self.service.own(3 - self._primary) as follower:
            self.struck.eventually(lambda: follower.get("written") == str(self.written), "the replica follows")
        assert self.struck.certificate_fits()
        self.struck.eventually(lambda: not self.struck.unfinished(), "no write is left half done")
