"""One instance's whole life with its supervisor, step by step: what is asked, and what holds when it is done."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from portal.clusters.backends.local import files
from portal.core.drivers import Command, Companion, GeneratedSecret, Phase, Probe, Run, Unit, UnitState
from tests.chaos.every_write.struck import FORERUNNER, HANDLE, Point, Struck

IN_STOCK = 1
SECRET = GeneratedSecret("admin")
LAID = Command("lay", ("/bin/sh", "-c", "head -c 9 /dev/urandom | base64 >> {{dir}}/laid"))
MADE = Command("make", ("/bin/sh", "-c", "test ! -e {{dir}}/made && echo made > {{dir}}/made"))
# Work that may be done again leaves the same behind; what may not leaves a line for each time.
PLAIN = Run("plain", ("/bin/sh", "-c", "echo done > {{dir}}/plain"))
ONCE = Run("once", ("/bin/sh", "-c", "echo x >> {{dir}}/once"), once=True, lane="once")
DUMP = Run("dump", ("/bin/sh", "-c", "printf 12345 > {{artifacts}}/d"), artifact="d", lane="backup")
WAIT = "import signal,sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); signal.pause()"
LAID_BESIDE = Command("lay beside", ("/bin/sh", "-c", "echo done > {{dir}}/beside"))
BESIDE = Companion("beside", ("/usr/bin/python3", "-c", WAIT), Probe(("/bin/true",)), prepare=(LAID_BESIDE,))
OFFLINE = Run("offline", ("/bin/sh", "-c", "echo done > {{dir}}/offline"), while_stopped=True)


@dataclass(slots=True)
class Life:
    """What is asked of the instance, step after step."""

    struck: Struck
    small_unit: Callable[..., Unit]
    generation: int = 0
    asked: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    deleted: bool = False
    in_short: tuple[str, ...] = ("fill the stock", "order", "delete")
    patience: float = 30.0

    def steps(self) -> Mapping[str, Callable[[Point], None]]:
        """Return what is asked in each step."""
        return {name: partial(act, self) for name, act in LIFE.items()}

    def ask(self, **changes: Any) -> None:
        """Ask for the unit with these changes."""
        self.asked |= changes
        self.generation += 1
        self.struck.wish(HANDLE, self._unit(**self.asked), generation=self.generation)

    def ask_before(self) -> None:
        """Ask for a service of the same kind, so that directories are prepared for the one to come."""
        self.struck.wish(FORERUNNER, self._unit())

    def _unit(self, **asked: Any) -> Unit:
        return self.small_unit(groundwork=(LAID,), prepare=(MADE,), secrets=(SECRET,), tls=True, **asked)

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def is_done(self) -> bool:
        """Whether what is asked for is there."""
        if self.deleted:
            return self.struck.home.buried() and not self.struck.left()
        before = self.struck.state(FORERUNNER)
        if not before.ready or not self.struck.one_engine(FORERUNNER) or len(self.struck.stock()) < IN_STOCK:
            return False
        return not self.generation or self._main_is_done(self.struck.state(HANDLE))

    def _main_is_done(self, state: UnitState) -> bool:
        if state.generation < self.generation or not self._runs_are_over(state):
            return False
        if not self._companions_are_there(state):
            return False
        if sorted(path.name for path in self.struck.home.artifacts.iterdir()) != self._artifacts():
            return False
        if not self.asked.get("running", True):
            return state.phase is Phase.STOPPED and self.struck.no_process()
        return state.phase is Phase.RUNNING and state.ready and self.struck.one_engine()

    def _companions_are_there(self, state: UnitState) -> bool:
        """Whether those that are asked for are there and ready, and no others."""
        wanted: tuple[Companion, ...] = self.asked.get("companions", ())
        running = self.asked.get("running", True)
        return {name: one.ready for name, one in state.companions.items()} == {one.name: running for one in wanted}

    def _runs_are_over(self, state: UnitState) -> bool:
        """Whether all work is done; what may not be done twice may be cut off instead."""
        wanted: tuple[Run, ...] = self.asked.get("runs", ())
        running = self.asked.get("running", True)
        results = [(run, state.runs.get(run.key)) for run in wanted if running or run.while_stopped]
        return all(
            result is not None and result.state in (("succeeded", "failed") if run.once else ("succeeded",))
            for run, result in results
        )

    def _nothing_is_shared(self) -> None:
        """Each data directory comes from a preparation of its own, done once."""
        laid = [path.read_text() for path in self.struck.data.glob("services/*/root/laid")]
        laid += [(root / "laid").read_text() for root in self.struck.stock()]
        assert len(set(laid)) == len(laid)
        assert all(len(text.splitlines()) == 1 for text in laid)

    def _artifacts(self) -> list[str]:
        """Return the names of the artifacts that somebody wants."""
        kept = self.asked.get("keep_artifacts", ()) or any(run.artifact for run in self.asked["runs"])
        return ["d"] if kept else []

    def check(self, step: str) -> None:
        """Nothing is lost, doubled or left over."""
        if step == "order":
            (self.struck.home.root / "precious").write_text("kept")
        self._nothing_is_shared()
        if self.deleted or not self.generation:
            return
        struck, root = self.struck, self.struck.home.root
        assert (root / "made").read_text() == "made\n"
        assert (root / "precious").read_text() == "kept", "what a customer stored is there"
        assert not (root / "once").exists() or (root / "once").read_text() == "x\n"
        assert struck.certificate_fits()
        struck.eventually(lambda: not struck.unfinished(), "no write is left half done")
        self.secrets = self.secrets or struck.home.secrets()
        assert struck.home.secrets() == self.secrets
        assert not self._artifacts() or (struck.home.artifacts / "d").read_text() == "12345"


Act = Callable[[Life, Point], None]


def asks(**changes: object) -> Act:
    """Return the step that asks for changes of a supervisor that dies at the point."""

    def act(life: Life, point: Point) -> None:
        life.struck.arm(point)
        life.ask(**changes)

    return act


def fill_the_stock(life: Life, point: Point) -> None:
    life.struck.arm(point)
    life.ask_before()


def engine_killed(life: Life, point: Point) -> None:
    life.struck.arm(point)
    life.struck.strike_down(life.struck.pid(HANDLE))


def companion_killed(life: Life, point: Point) -> None:
    life.struck.arm(point)
    life.struck.strike_down(life.struck.companion(HANDLE, BESIDE.name))


def adopt(life: Life, point: Point) -> None:
    """Kill the supervisor alone; the next one takes over what it left."""
    life.struck.kill()
    life.struck.aim(point)
    life.struck.begin()


def end(life: Life, point: Point) -> None:
    """End the supervisor with all it keeps; the next one begins again."""
    life.struck.arm(point)
    life.struck.signal(signal.SIGTERM)
    life.struck.eventually(lambda: life.struck.died, "it ends")


def authority_lost(life: Life, point: Point) -> None:
    """Lose the region's authority: a new one is made, and the instance gets a certificate of that one."""
    life.struck.arm(point)
    files.remove_tree(life.struck.data / "ca")
    life.ask()


def delete(life: Life, point: Point) -> None:
    life.struck.arm(point)
    for handle in (HANDLE, FORERUNNER):
        life.struck.wish(handle, life.small_unit(), want="absent", generation=life.generation + 1)
    life.deleted = True


LIFE: dict[str, Act] = {
    "fill the stock": fill_the_stock,
    "order": asks(runs=(PLAIN, ONCE)),
    "reload": asks(soft="two"),
    "start anew with other files": asks(hard="two"),
    "back up": asks(runs=(PLAIN, ONCE, DUMP)),
    "restart": asks(restarts=1),
    "engine killed": engine_killed,
    "companion": asks(companions=(BESIDE,)),
    "companion killed": companion_killed,
    "adopt": adopt,
    "stop": asks(running=False),
    "work while stopped": asks(runs=(ONCE, OFFLINE), keep_artifacts=("d",)),
    "start": asks(running=True),
    "authority lost": authority_lost,
    "drop the backup": asks(keep_artifacts=()),
    "end and begin": end,
    "companion gone": asks(companions=()),
    "delete": delete,
}
