"""What befalls a portal, as a seed says. Each fault begins, lasts for its seconds, and is taken away again.

Kinds: ``kill`` (SIGKILL) and ``pause`` (SIGSTOP, SIGCONT) of a process or one of its children; ``full_disk``;
``slow_disk``; ``broker_emptied``; ``cut_connections`` of the portal's database; ``clock`` set by hours. An engine's
companions fall as engines do.

``up`` and its guardian never fall at once: each starts the other again, and both gone is for a person to notice.
"""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from tests.chaos import processes
from tests.chaos.island import Island
from tests.journeys.instance import eventually

ENGINE = "engine"
KEEPERS = {processes.UP, "guardian"}
TARGETS = (*processes.ROLES, processes.UP, ENGINE)
WRITERS = ("database", "supervisor", ENGINE)
OTHERS = ("pause", "pause", "pause", "full_disk", "slow_disk", "broker_emptied", "cut_connections", "clock", "clock")
DECK = (*(("kill", target) for target in TARGETS), *((kind, "") for kind in OTHERS))  # all of it in each 20
DISK = "fsync,fdatasync,pwrite64,write,openat,rename"  # the system calls that reach for it
CUT = """
    select pg_terminate_backend(pid) from pg_stat_activity where datname = 'archipel' and pid <> pg_backend_pid()
"""
HOURS = (-5, -3, -1, 0, 1, 3, 5)  # off the true time


@dataclass(frozen=True)
class Fault:
    """One line of the plan. ``pick`` chooses among processes that would do; ``child`` means one of a target's own."""

    kind: str
    target: str = ""
    child: bool = False
    pick: float = 0.0
    seconds: float = 0.0
    amount: int = 0

    def __str__(self) -> str:
        parts = [self.kind, self.target and f"{'a child of ' if self.child else ''}{self.target}"]
        parts += [f"{self.amount:+d}" if self.kind == "clock" else self.amount and f"{self.amount} ms"]
        return " ".join(str(part) for part in [*parts, self.seconds and f"for {self.seconds:.1f} s"] if part)


def plan(seed: int, count: int) -> list[tuple[Fault, ...]]:
    """Return ``count`` faults in batches of one or two that come at a time."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    while len(faults) < count:
        faults += _dealt(chance)
    faults, batches = faults[:count], []
    while faults:
        size = chance.choice((1, 1, 1, 2))
        if KEEPERS.issubset(fault.target for fault in faults[:size]):
            size = 1
        batches.append(tuple(faults[:size]))
        del faults[:size]
    return batches


def _dealt(chance: random.Random) -> list[Fault]:
    """Return every kind and every victim at least once, one more by chance, in any order."""
    cards = [*DECK, chance.choice(DECK)]
    chance.shuffle(cards)
    return [_fault(chance, kind, target) for kind, target in cards]


def _fault(chance: random.Random, kind: str, target: str) -> Fault:
    pick, seconds = chance.random(), chance.uniform(0.3, 3.0)
    if kind in ("kill", "pause"):
        target, child = target or chance.choice(TARGETS), chance.random() < 0.3
        return Fault(kind, target, child, pick, seconds if kind == "pause" else 0.0)
    if kind == "slow_disk":
        return Fault(kind, chance.choice(WRITERS), False, pick, seconds, chance.choice((5, 20, 100)))
    if kind == "clock":
        return Fault(kind, amount=chance.choice(HOURS))
    return Fault(kind, seconds=seconds if kind == "full_disk" else 0.0)


@dataclass
class Struck:
    """What was done, and when: an operation that failed meanwhile has its excuse."""

    fault: Fault
    began: float
    victim: str = ""
    ended: float = float("inf")
    error: BaseException | None = None

    def __str__(self) -> str:
        return f"{self.fault} {self.victim}".strip()


@dataclass
class Driver:
    """Drives faults into an island and remembers them."""

    island: Island
    AFTERMATH = 30.0  # seconds after its end in which a fault may still be why something fails
    struck: list[Struck] = field(default_factory=list)

    def excuse(self, began: float, ended: float) -> str:
        """Name the last fault that may have touched what went on between two moments; empty where none did."""
        found = [s for s in self.struck if s.began <= ended and s.ended + self.AFTERMATH >= began]
        return str(found[-1]) if found else ""

    def strike(self, batch: tuple[Fault, ...]) -> None:
        """Let a batch happen, and wait until the last of it is over."""
        threads = [threading.Thread(target=self._strike, args=(fault,)) for fault in batch]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in [mark.error for mark in self.struck if mark.error]:
            raise error

    def _strike(self, fault: Fault) -> None:
        mark = Struck(fault, time.monotonic())
        self.struck.append(mark)
        try:
            _DO[fault.kind](self, fault, mark)
        except Exception as error:
            mark.error = error
        finally:
            mark.ended = time.monotonic()

    def _victims(self, fault: Fault) -> list[int]:
        if fault.target == ENGINE:
            roots = self._engines()
        else:
            root = processes.of_role(self.island, fault.target)
            roots = [root] if root else []
        children = [
            pid for root in roots if fault.child and fault.target != processes.UP for pid in processes.below(root)
        ]
        return children or roots

    def _engines(self) -> list[int]:
        """Return the first process of each engine, and of each companion beside one."""
        roots: list[int] = []
        for handle in processes.handles(self.island):
            roots += processes.engines(self.island, handle)
            roots += [pid for pids in processes.companions(self.island, handle).values() for pid in pids]
        return roots

    def _victim(self, fault: Fault, mark: Struck) -> int | None:
        found = self._victims(fault)
        if not found:
            return None
        pid = found[int(fault.pick * len(found))]
        mark.victim = f"(pid {pid}: {processes.command(pid)[:80].strip()})"
        return pid

    def kill(self, fault: Fault, mark: Struck) -> None:
        pid = self._victim(fault, mark)
        if pid:
            _send(pid, signal.SIGKILL)

    def pause(self, fault: Fault, mark: Struck) -> None:
        pid = self._victim(fault, mark)
        if pid:
            _send(pid, signal.SIGSTOP)
            threading.Event().wait(fault.seconds)
            _send(pid, signal.SIGCONT)

    def full_disk(self, fault: Fault, mark: Struck) -> None:
        end = time.monotonic() + fault.seconds
        try:
            while time.monotonic() < end:
                self.island.disk.fill()
                threading.Event().wait(0.05)
        finally:
            self.island.disk.free()

    def slow_disk(self, fault: Fault, mark: Struck) -> None:
        """Each system call that reaches for the disk takes longer: strace's fault injection, until it is detached."""
        pid = self._victim(fault, mark)
        if not pid:
            return
        with slowed(self.island.strace, [pid, *processes.below(pid)], fault.amount):
            threading.Event().wait(fault.seconds)

    def broker_emptied(self, fault: Fault, mark: Struck) -> None:
        with (
            suppress(RedisError),
            Redis(unix_socket_path=str(self.island.socket / "broker.sock"), socket_timeout=5) as it,
        ):
            it.flushall()

    def cut_connections(self, fault: Fault, mark: Struck) -> None:
        with suppress(psycopg.OperationalError), psycopg.connect(portal_database(self.island)) as connection:
            connection.execute(CUT)

    def clock(self, fault: Fault, mark: Struck) -> None:
        self.island.clock.set(fault.amount * 3600)
        threading.Event().wait(1.0)  # the processes read it once a second


@contextmanager
def slowed(strace: Path, pids: list[int], milliseconds: int) -> Iterator[None]:
    """Make these processes, and those that they start, wait at each system call that reaches for the disk."""
    attached = [word for pid in pids for word in ("-p", str(pid))]
    options = [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={DISK}",
        "-e",
        f"inject={DISK}:delay_enter={milliseconds}ms",
    ]
    with subprocess.Popen([str(strace), *options, *attached], stderr=subprocess.PIPE, text=True) as tracer:
        eventually(lambda: _is_traced(pids[0]) or tracer.poll() is not None, what="the tracer is at work")
        yield
        tracer.terminate()
        assert tracer.stderr
        refusal = tracer.stderr.read()
    assert "not permitted" not in refusal, f"no process may be traced here: {refusal}"


def _is_traced(pid: int) -> bool:
    """Whether somebody traces a process; True as well for one that is gone, since nobody has to wait for that."""
    try:
        return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


_DO: dict[str, Callable[[Driver, Fault, Struck], None]] = {kind: getattr(Driver, kind) for kind, _ in DECK}


def portal_database(island: Island) -> str:
    """Return where the portal's own database is reached."""
    return f"host={island.socket} user=archipel dbname=archipel connect_timeout=5"


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
