"""A child of ``up`` that does one thing and ends; stderr is the user's, stdout is read."""

import os
import signal
import subprocess
from collections.abc import Mapping


class Child:
    """Runs without being waited for. In a session of its own, so that Ctrl-C reaches it through ``up`` alone."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            arguments, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
        self.pid = self._process.pid
        self.output = ""

    @property
    def code(self) -> int | None:
        """The exit code, once it has ended."""
        return self._process.returncode

    def ended(self) -> bool:
        """Tell whether it has ended, and keep what it printed: a line or two, which fit in the pipe."""
        if self._process.poll() is None:
            return False
        if self._process.stdout and not self._process.stdout.closed:
            self.output = self._process.stdout.read().decode().strip()
            self._process.stdout.close()
        return True

    def kill(self) -> None:
        """End it and what it has started."""
        os.killpg(self.pid, signal.SIGKILL)
