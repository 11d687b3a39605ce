"""A role of the instance: one process that has to run, how it is started, found again and stopped."""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from portal.bootstrap.say import say
from portal.instance import proc
from portal.instance.proc import Identity, identity

RESTORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)
FIRST_DELAY = 0.2  # seconds before the first restart; doubles with each further failure
LONGEST_DELAY = 10.0
PROVEN = 10.0  # seconds after which a role counts as having started well
Step = tuple[signal.Signals, float]  # a signal and the seconds that it is given to work


@dataclass(frozen=True)
class Role:
    """What to run. ``steps`` end it; ``leftovers`` names what a dead one may leave besides its session's processes."""

    name: str
    command: Callable[[], list[str]]
    environment: Mapping[str, str]
    steps: tuple[Step, ...] = ((signal.SIGTERM, 8.0),)
    prepare: Callable[[], None] = lambda: None
    leftovers: Callable[[], list[int]] = lambda: []


def spawn(role: Role, log: Path) -> Identity:
    """Start a role in a session of its own, so that the terminal's Ctrl-C is not for it; output goes to its log."""
    arguments = role.command()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    environment = {**role.environment, "ARCHIPEL_ROLE": role.name}
    pid = os.posix_spawn(
        arguments[0], arguments, environment, file_actions=actions, setsid=True, setsigmask=[], setsigdef=RESTORED
    )
    return identity(pid)


@dataclass
class Kept:
    """A role and the process that runs it now, if one does."""

    role: Role
    data: Path
    process: Identity | None = None
    handle: int = -1  # pidfd
    failures: int = 0
    started: float = 0.0
    ended_at: float = 0.0
    due: float = 0.0

    @property
    def record(self) -> Path:
        return self.data / "run" / f"{self.role.name}.json"

    @property
    def log(self) -> Path:
        return self.data / "log" / f"{self.role.name}.log"

    def start(self) -> None:
        """Start the role, after clearing away what its last process has left."""
        self.clear()
        self.role.prepare()
        self._take(spawn(self.role, self.log))
        assert self.process  # noqa: S101 - for the type checker
        draft = self.record.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"pid": self.process.pid, "start": self.process.start}))
        draft.replace(self.record)

    def try_start(self) -> None:
        """Start the role; what the machine refuses (its disk is full, say) is tried again later, as a failure is."""
        try:
            self.start()
        except OSError as error:
            say(f"{self.role.name} can't be started: {error.strerror or error}")
            self._send(signal.SIGKILL)  # one that is written down nowhere must not run
            self.started = time.monotonic()
            self.lost()

    def adopt(self) -> bool:
        """Take over the process that an earlier ``up`` has started, if it lives."""
        found = recorded(self.record)
        if found and found.alive():
            self._take(found)
        return self.handle >= 0

    def _take(self, process: Identity) -> None:
        self.process, self.started = process, time.monotonic()
        self.handle = _open(process.pid)

    def lost(self) -> None:
        """Note the end, and when to start the next process: soon if this one ran well, later if it keeps failing."""
        if self.handle >= 0:
            os.close(self.handle)
        self.handle = -1
        self.ended_at = time.monotonic()
        self.failures = 1 if self.ended_at - self.started > PROVEN else self.failures + 1
        self.due = self.ended_at + min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.failures - 1))

    def clear(self) -> None:
        """Kill what a dead process has left: the children of its session, and what the role names."""
        last = self.process or recorded(self.record)
        left = proc.session_members(last.pid) if last and not last.alive() else []
        handles = [handle for pid in [*left, *self.role.leftovers()] if (handle := _open(pid)) >= 0]
        for handle in handles:
            _signal(handle, signal.SIGKILL)
        for handle in handles:  # their ports and locks are free when they are gone, not before
            ended(handle, 2.0)
            os.close(handle)

    def ask_to_stop(self) -> None:
        """Send the first step's signal, so that several roles can stop at a time."""
        self._send(self.role.steps[0][0])

    def stop(self, patience: Callable[[float], float]) -> None:
        """Send each step's signal and wait, then kill. ``patience`` shortens a step's seconds when time runs out."""
        for number, seconds in self.role.steps:
            self._send(number)
            self._wait(patience(seconds))
        self.kill()

    def kill(self) -> None:
        """End the role at once, without its help."""
        self._send(signal.SIGKILL)
        self._wait(2.0)
        self.clear()
        self.record.unlink(missing_ok=True)

    def _send(self, number: signal.Signals) -> None:
        """Signal through the pidfd: it can't hit a process that came later with the same pid."""
        if self.handle >= 0:
            _signal(self.handle, number)

    def _wait(self, seconds: float) -> None:
        if self.handle >= 0 and ended(self.handle, seconds):
            self.lost()


def _open(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def _signal(handle: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(handle, number)


def ended(handle: int, seconds: float) -> bool:
    """Wait up to ``seconds`` for the process of a pidfd to end; tell whether it has."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def recorded(record: Path) -> Identity | None:
    """Return the process that a record names, alive or not."""
    try:
        written = json.loads(record.read_text())
        return Identity(written["pid"], written["start"])
    except (OSError, ValueError, KeyError):
        return None


def reap(spared: Collection[int] = ()) -> None:
    """Collect children that have ended, adopted grandchildren too, but for those that somebody waits for elsewhere."""
    with suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in spared:
                return
            os.waitpid(found.si_pid, os.WNOHANG)
