"""A real supervisor that can be told at which point of its life to kill itself, and what must hold once it is back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.files import read_json
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor import control
from tests.clusters.local.conftest import PROJECT, Supervised

HANDLE, FORERUNNER = "everywrite22", "forerunner22"
PROGRAM = Path(__file__).with_name("supervisor_process.py")
NOWHERE = ("", 0)
Point = tuple[str, int]  # a point's name, and which of those of that name in a step


class Struck(Supervised):
    """A data directory whose supervisors kill themselves on request. They are started by a process that goes on."""

    def __init__(self, data: Path, packages: Path, *, walls: bool) -> None:
        super().__init__(data, packages)
        argv = (sys.executable, str(PROGRAM), str(data), str(packages), "walls" if walls else "bare")
        self._errors = (data / "supervisor.log").open("ab")
        self._starter = subprocess.Popen(
            argv,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.supervisor = self.deaths = 0
        self.home = Home(data, HANDLE)

    # ---- the supervisor ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start one that dies at no point."""
        self.aim(NOWHERE)
        self.begin()

    def begin(self) -> None:
        """Start one that dies where it was aimed at, and wait until it answers, if it comes that far."""
        assert self._starter.stdin
        self._starter.stdin.write(b"{}\n")
        self._starter.stdin.flush()
        self.supervisor = self._told()
        self.eventually(lambda: self.died or control.ping(self.data), "the supervisor answers")

    def _told(self) -> int:
        assert self._starter.stdout
        return int(self._starter.stdout.readline())

    def aim(self, point: Point) -> None:
        """Say at which point the next supervisor dies, and forget the points passed."""
        (self.data / "strike.json").write_text(json.dumps(point))
        (self.data / "points").write_bytes(b"")

    def arm(self, point: Point) -> None:
        """Have the supervisor that is at work die at that point from now on."""
        self.aim(point)
        self.signal(signal.SIGUSR2)
        control.ping(self.data)  # it has taken notice once it answers anything

    @property
    def died(self) -> bool:
        """Whether the supervisor is gone; a dead one waits to be reaped, or is."""
        return not self.supervisor or proc.process(self.supervisor) is None

    def bury(self) -> int:
        """Wait for the end of the supervisor; return its exit code."""
        self.supervisor = 0
        self.deaths += 1
        return self._told()

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor, unless it is gone."""
        if not self.died:
            os.kill(self.supervisor, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.bury()

    def strike_down(self, pid: int) -> None:
        """Kill a process under the supervisor; return once it is dead, or all would seem well for another moment."""
        os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: proc.process(pid) is None, f"{pid} is dead")

    def passed(self) -> Counter[str]:
        """Return how often the supervisor came to each point since it was started or armed."""
        return Counter((self.data / "points").read_text().splitlines())

    def quiet(self) -> bool:
        """Whether it comes to no further point for a moment."""
        before = self.passed()
        time.sleep(0.1)
        return before == self.passed()

    def eventually(self, look: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        """Wait; where it is in vain, the log says what the supervisor waits for."""
        try:
            super().eventually(look, what, seconds)
        except pytest.fail.Exception:
            self.signal(signal.SIGTTIN)
            super().eventually(lambda: False, what, 1.0)

    def close(self) -> None:
        """End it all; once is enough."""
        if self._starter.returncode is not None:
            return
        if self.supervisor and not self.died:
            self.kill()
        assert self._starter.stdin
        self._starter.stdin.close()
        self._starter.wait(10)
        assert self._starter.stdout
        self._starter.stdout.close()
        self._errors.close()
        super().close()

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def one_engine(self, handle: str = HANDLE) -> bool:
        """Whether all processes of an instance are those of one engine and its companions: none doubled, no orphan."""
        stored = read_json(Home(self.data, handle).state_file) or {}
        ones = [stored.get("identity"), *stored.get("companions", {}).values()]
        if not all(one and proc.is_same(one["pid"], one["start"]) for one in ones):
            return False
        table = proc.every()
        family = proc.descendants([pid for one in ones for pid in (one["pid"], one["keeper"])], table)
        return proc.of_instance(self.data, handle, table) == family

    def no_process(self) -> bool:
        return not proc.of_instance(self.data, HANDLE)

    def stock(self) -> list[Path]:
        """Return the directories that are prepared for orders to come."""
        return list(self.data.glob("stock/*/ready-*/root"))

    def certificate_fits(self) -> bool:
        """Whether key and certificate belong together and are of the authority that is handed out."""
        tls = self.home.root / "tls"
        key = serialization.load_pem_private_key((tls / "key.pem").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((tls / "cert.pem").read_bytes())
        authority = x509.load_pem_x509_certificate((self.data / "public" / "ca.pem").read_bytes())
        certificate.verify_directly_issued_by(authority)
        ours = (tls / "ca.pem").read_bytes() == (self.data / "public" / "ca.pem").read_bytes()
        return ours and key.public_key() == certificate.public_key()

    def unfinished(self) -> list[str]:
        """Return the files whose writing was cut off."""
        places = (self.home.path, self.home.root, self.home.root / "etc", self.home.root / "tls", self.data / "ca")
        return [str(path) for place in places for path in place.glob(".?*.?*")]

    def left(self) -> list[str]:
        """Return what is left of instances anywhere."""
        homes = [Home(self.data, handle) for handle in (HANDLE, FORERUNNER)]
        found = [str(path) for home in homes for path in (home.path, home.trash, home.run) if path.exists()]
        return found + [f"process {pid}" for home in homes for pid in proc.of_instance(self.data, home.handle)]
