"""One program of a control plane as a process that dies with the one that started it, unless it is to last."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SETPRIV = ("/usr/bin/setpriv", "--pdeathsig", "KILL", "--")
# The kernel looks at the thread that started a process: one that ends early would take the process along.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="control-plane")


class Program:
    """Writes its output to ``<name>.log`` in the directory, which it runs in as well."""

    def __init__(self, name: str, directory: Path, *, lasting: bool) -> None:
        self.name, self.directory, self.lasting = name, directory, lasting
        self.log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def was_started(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process id. Raises LookupError before the first start."""
        if self._process is None:
            raise LookupError(self.name)
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, programs: Path, options: list[str]) -> None:
        """Start it, from a thread that lives as long as this process does."""
        command = [*(() if self.lasting else SETPRIV), str(programs / self.name), *options]
        self._process = _spawner.submit(self._spawn, command).result()

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches it through the one who started it
                env={**os.environ, "GOMAXPROCS": "2"},
            )

    def end(self, number: signal.Signals, within: float) -> None:
        """Send the signal, and SIGKILL where that did not do in time."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            print(f"{self.name} took no notice of {number.name}", file=sys.stderr)  # noqa: T201
            self._process.kill()
            self._process.wait(within)

    def last_words(self) -> str:
        """Return the end of its log, for a message."""
        words = self.log.read_text(errors="replace")[-2500:] if self.log.exists() else "(no log)"
        state = "is alive" if self.is_alive() else f"ended with {self._process and self._process.returncode}"
        return f"{self.name} {state}:\n{words}"
