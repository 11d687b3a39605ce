"""Runs supervisors one after the other, each of which may kill itself at a point of its life. A program of its own.

Told on standard input, a JSON object a line: ``{}`` starts a supervisor, answered by its pid and, at its end, by its
exit code. SIGUSR2 makes a supervisor read anew from ``strike.json`` at which point it dies: ``[name, occurrence]``;
SIGTTIN makes it write into its log what each of its tasks waits for.
Points are the calls by which a supervisor has an effect, found as they come; ``points`` gets the name of each.
"""

import asyncio
import ctypes
import json
import logging
import os
import re
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portal.bootstrap import paths

_RANDOM = re.compile(r"\.[a-z0-9_]{8}$|\.[0-9a-f]{12}$|(?:making|ready|gone)-\w+")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Supervisor:
    """What a supervisor is given: its directory, the engine packages, and whether it has a sandbox."""

    def __init__(self, data: Path, packages: Path, *, walls: bool) -> None:
        self.data, self.packages, self.walls = data, packages, walls
        self.seen: Counter[str] = Counter()
        self.strike: tuple[str, int] = ("", 0)
        self._run = paths.run_directory(data)
        self._log = os.open(data / "points", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._write, self._kill = os.write, os.kill

    # ---- points ------------------------------------------------------------------------------------------------------

    def reach(self, name: str) -> None:
        self.seen[name] += 1
        self._write(self._log, f"{name}\n".encode())
        if (name, self.seen[name]) == self.strike:
            self._kill(os.getpid(), signal.SIGKILL)

    def arm(self, *of_signal: object) -> None:
        """Take up the next strike; points are counted anew."""
        name, occurrence = json.loads((self.data / "strike.json").read_text())
        self.strike = (name, occurrence)
        self.seen.clear()

    def count(self, module: Any, function: str, name_of: Callable[..., str]) -> None:
        """Have a point before and after each call of a function."""
        effect = getattr(module, function)

        def counted(*args: Any, **options: Any) -> Any:
            name = f"{function} {name_of(*args, **options)}"
            self.reach(f"before {name}")
            result = effect(*args, **options)
            self.reach(f"after {name}")
            return result

        setattr(module, function, counted)

    def place(self, path: Any, dir_fd: int | None = None) -> str:
        """Return a file's place below the directory, without what differs from life to life."""
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        elif dir_fd is not None:
            path = Path(f"/proc/self/fd/{dir_fd}").readlink() / path
        return _RANDOM.sub("*", self._shortened(os.fspath(path)))

    def _shortened(self, text: str) -> str:
        return text.replace(f"{self.data}/", "").replace(str(self._run), "run")

    def count_effects(self) -> None:
        """Count everything by which a supervisor has an effect."""
        for function in ("replace", "rename"):
            self.count(os, function, lambda source, target, *, dst_dir_fd=None, **rest: self.place(target, dst_dir_fd))
        for function in ("unlink", "mkdir", "rmdir"):
            self.count(os, function, lambda path, *mode, dir_fd=None: self.place(path, dir_fd))
        self.count(os, "fsync", self.place)
        self.count(os, "write", lambda handle, content: "to a pipe")
        self.count(os, "kill", lambda pid, number: str(number))
        self.count(os, "killpg", lambda group, number: str(number))
        self.count(signal, "pidfd_send_signal", lambda handle, number: str(number))
        self.count(subprocess, "Popen", lambda argv, **rest: self.command(argv))

    def command(self, argv: Any) -> str:
        """Return what tells a command from others: its last words, those inside the sandbox."""
        words = [self._shortened(str(word)) for word in argv]
        inner = words[len(words) - words[::-1].index("--") :] if "--" in words else words
        return " ".join(inner)[:80].replace("\n", " ")

    # ---- life --------------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Supervise, counting."""
        from portal.clusters.backends.local.sandbox import Sandbox
        from portal.clusters.backends.local.supervisor import control, service

        async def no_walls(host: Any) -> Sandbox:
            return Sandbox(None, host.data, "this test goes without")

        if not self.walls:
            service.find_sandbox = no_walls
        signal.signal(signal.SIGUSR2, self.arm)
        signal.signal(signal.SIGTTIN, _tell_what_is_waited_for)
        self.arm()
        self.count_effects()
        self.count(control, "_answered", lambda line, answer: json.loads(line)["op"])
        service.serve(self.data, self.packages, lambda handle: self.reach("wake"))


def main(data: str, packages: str, walls: str) -> None:
    """Start a supervisor for each line that comes, one at a time."""
    import portal.clusters.backends.local.supervisor.service  # noqa: F401 - once, for all that are started

    logging.basicConfig(level="INFO")
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            Supervisor(Path(data), Path(packages), walls=walls == "walls").serve()
            os._exit(0)
        _tell(pid)
        _tell(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _tell_what_is_waited_for(number: int, frame: Any) -> None:
    sys.stderr.writelines(["at:\n", *traceback.format_stack(frame, 8)])
    for task in asyncio.all_tasks():
        words, awaited = [task.get_name()], task.get_coro()
        while (at := getattr(awaited, "cr_frame", None)) is not None:
            words.append(f"{at.f_code.co_qualname}:{at.f_lineno}")
            awaited = awaited.cr_await
        sys.stderr.write(f"{' '.join(words)} {awaited}\n")


def _tell(number: int) -> None:
    os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
