"""Starting processes and learning of their ends: every child of this process is reaped here and nowhere else.

Orphans of our instances are handed to this process (it is their subreaper) and are reaped as well. Nothing else in the
supervisor may use ``subprocess``, since ``waitpid(-1)`` would take its children's results away.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Child:
    """A process that we started. ``ended`` gets its exit code, negative for a signal."""

    pid: int
    ended: "asyncio.Future[int]"


class Children:
    """The children of this process."""

    def __init__(self) -> None:
        self._known: dict[int, asyncio.Future[int]] = {}

    def watch(self) -> None:
        """Begin to reap; call once, with the loop running."""
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        pass_fds: Iterable[int] = (),
    ) -> Child:
        """Start a process in a session of its own. Raises OSError where the program can't be started."""
        started = subprocess.Popen(
            argv,
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
        started.returncode = 0  # reaped here: Popen must neither wait for it nor warn
        ended = self._known[started.pid] = asyncio.get_running_loop().create_future()
        return Child(started.pid, ended)

    def reap(self) -> None:
        """Collect every child that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            future = self._known.pop(pid, None)
            if future is not None and not future.done():
                future.set_result(os.waitstatus_to_exitcode(status))


def kill_session(leader: int, number: int = signal.SIGKILL) -> None:
    """Signal the process group that ``leader`` began; gone already is fine."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


def exit_line(code: int | None) -> str:
    """Say how a process ended."""
    if code is None:
        return "it ended"
    number = -code if code < 0 else code - 128
    if code < 0 or 128 < code < 165:
        name = next((known.name for known in signal.Signals if known == number), str(number))
        return f"it was ended by {name}"
    return f"it ended with exit code {code}"
