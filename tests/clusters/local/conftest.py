"""A real supervisor on a directory of its own, and the wishes that tests make of it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.bootstrap import paths
from portal.clusters.backends.local import codec, proc
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.packages import ensure
from portal.clusters.backends.local.supervisor import control
from portal.core.drivers import File, Phase, Probe, Unit, UnitState

PROJECT = Path(__file__).resolve().parents[3]
_SERVE = """
import logging, pathlib, sys
from portal.clusters.backends.local.sandbox import Sandbox
from portal.clusters.backends.local.supervisor import service
async def no_walls(host):
    return Sandbox(None, host.data, "this test goes without")
if sys.argv[4] == "bare":
    service.find_sandbox = no_walls
logging.basicConfig(level="INFO")
def woken(handle):
    with open(sys.argv[3], "a") as file:
        file.write(handle + "\\n")
service.serve(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), woken)
"""


class Supervised:
    """A data directory with a supervisor; ends all that it started when the test is over."""

    def __init__(self, data: Path, packages: Path) -> None:
        self.data, self.packages = data, packages
        self.process: subprocess.Popen[bytes] | None = None
        self.walls = "walls"  # "bare": without a sandbox
        self._fence = 0

    # ---- the supervisor ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        argv = (sys.executable, "-c", _SERVE, str(self.data), str(self.packages), str(self.data / "woken"), self.walls)
        with (self.data / "supervisor.log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=PROJECT, stdout=log, stderr=log)
        self.eventually(lambda: control.ping(self.data), "the supervisor answers")

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(45)

    def log(self) -> str:
        return (self.data / "supervisor.log").read_text()

    # ---- wishes ------------------------------------------------------------------------------------------------------

    def wish(self, handle: str, unit: Unit, *, want: str = "", generation: int = 1, **ports: int) -> Home:
        self._fence += 1
        home = Home(self.data, handle)
        home.ensure_secrets(unit.secrets)
        wanted = want or ("running" if unit.running else "stopped")
        assert home.record(Wish(handle, self._fence, generation, wanted, codec.unit_to_json(unit), ports))
        control.poke(self.data, handle)
        return home

    def state(self, handle: str) -> UnitState:
        from portal.clusters.backends.local.files import read_json

        stored = read_json(Home(self.data, handle).state_file)
        return codec.state_from_json(stored["seen"]) if stored else UnitState(Phase.ABSENT)

    def pid(self, handle: str) -> int:
        from portal.clusters.backends.local.files import read_json

        stored = read_json(Home(self.data, handle).state_file)
        assert stored
        assert stored["identity"]
        assert stored["identity"]["pid"] > 1, "it has not begun"
        return int(stored["identity"]["pid"])

    def companion(self, handle: str, name: str) -> int:
        """Return the process of a companion."""
        from portal.clusters.backends.local.files import read_json

        stored = read_json(Home(self.data, handle).state_file)
        assert stored
        return int(stored["companions"][name]["pid"])

    # ---- waiting -----------------------------------------------------------------------------------------------------

    def eventually(self, look: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not look():
            if time.monotonic() > deadline:
                states = {path.parent.name: path.read_text() for path in self.data.glob("services/*/state.json")}
                logs = [path.read_text()[-3000:] for path in self.data.glob("services/*/log/*.log")]
                pytest.fail(f"not within {seconds} s: {what}\n{states}\n{self.log()[-6000:]}\n{logs}")
            time.sleep(0.01)

    def until_ready(self, handle: str, seconds: float = 30.0, generation: int = 1) -> UnitState:
        def look() -> bool:
            state = self.state(handle)
            return state.phase is Phase.RUNNING and state.ready and state.generation >= generation

        self.eventually(look, f"{handle} is ready", seconds)
        return self.state(handle)

    def until(self, handle: str, phase: Phase, seconds: float = 30.0) -> UnitState:
        self.eventually(lambda: self.state(handle).phase is phase, f"{handle} is {phase}", seconds)
        return self.state(handle)

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.end()
        for pids in proc.by_instance(self.data).values():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(paths.run_directory(self.data), ignore_errors=True)


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where engine packages are kept between runs: ``$ARCHIPEL_PACKAGES``, else beside the temporary files."""
    prefix = Path(
        os.environ.get("ARCHIPEL_PACKAGES") or Path(tempfile.gettempdir()) / f"archipel-packages-{os.getuid()}"
    )
    ensure("bubblewrap", prefix=prefix)
    return prefix


@pytest.fixture
def bench(packages: Path) -> Iterator[Supervised]:
    """A data directory with no supervisor yet."""
    if os.geteuid() == 0:
        pytest.fail("engines don't run as root: run these tests by `manage.py test`, which changes the account")
    found = Supervised(Path(tempfile.mkdtemp(prefix="archipel-test-")), packages)
    yield found
    found.close()


@pytest.fixture
def supervised(bench: Supervised) -> Supervised:
    """A data directory with a supervisor at work."""
    bench.start()
    return bench


@pytest.fixture(params=["walls", "bare"])
def either(bench: Supervised, request: pytest.FixtureRequest) -> Supervised:
    """A supervisor at work, once with the sandbox and once without."""
    bench.walls = request.param
    bench.start()
    return bench


_ENGINE = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGHUP, lambda *_: open("reloaded", "a").write(open("etc/soft.conf").read()))
with open("starts", "a") as file:
    file.write(open("etc/hard.conf").read() + chr(10))
if os.fork() == 0:
    os.setsid()
    while True:
        signal.pause()
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("serving", flush=True)
while True:
    line, _ = server.accept()
    line.sendall(b"hello")
    line.close()
"""
_PROBE = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); sys.exit(s.recv(5) != b'hello')"


@pytest.fixture
def small_unit() -> Callable[..., Unit]:
    """A tiny engine in Python with a child that leaves its session, for tests of the supervisor itself."""

    def make(**rest: object) -> Unit:
        hard, soft = str(rest.pop("hard", "one")), str(rest.pop("soft", "one"))
        own = (
            File("etc/hard.conf", hard),
            File("etc/soft.conf", soft, on_change="reload"),
            File("engine.py", f"import os\nif os.path.exists('{{{{run}}}}/s'): os.unlink('{{{{run}}}}/s')\n{_ENGINE}"),
        )
        settings: dict[str, object] = {
            "packages": (),
            "argv": ("/usr/bin/python3", "-I", "{{dir}}/engine.py", "{{run}}/s"),
            "probe": Probe(("/usr/bin/python3", "-I", "-c", _PROBE, "{{run}}/s")),
            "ports": (),
            "files": own,
            "reload_signal": "SIGHUP",
            "stop_patience_seconds": 5.0,
        }
        return Unit(**{**settings, **rest})

    return make
