"""Do the kept process supervisors that pip offers keep what DESIGN asks for? Decision 0003 rests on what is seen here.

Asked: after ``kill -9`` of the supervisor and its restart the instance is the same process (adopted), and alone.
"""

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

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.packages.host import pip_command

pytestmark = pytest.mark.full

SUPERVISORD = """
[supervisord]
nodaemon=true
logfile={place}/supervisord.log
pidfile={place}/supervisord.pid
childlogdir={place}
[program:engine]
command=/bin/sleep {mark}
autorestart=true
"""
CIRCUS = """
[circus]
endpoint = ipc://{place}/endpoint
pubsub_endpoint = ipc://{place}/pubsub
check_delay = 1
pidfile = {place}/circus.pid
[watcher:engine]
cmd = /bin/sleep {mark}
numprocesses = 1
"""


@pytest.fixture(scope="module")
def libraries() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        pins = ("supervisor==4.3.0", "circus==0.19.0", "setuptools==80.9.0")
        argv = (*pip_command(), "install", "--quiet", "--only-binary", ":all:", "--target", place, *pins)
        subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "PIP_USER": "0"})
        yield Path(place)


@pytest.mark.parametrize(
    ("module", "entry", "config"),
    [("supervisor.supervisord", "main(['-c', path])", SUPERVISORD), ("circus.circusd", "main()", CIRCUS)],
    ids=["supervisor", "circus"],
)
def test_it_neither_adopts_nor_ends_what_it_left(libraries: Path, module: str, entry: str, config: str) -> None:
    mark = f"{100000 + os.getpid()}.{len(module)}"
    place = Path(tempfile.mkdtemp(prefix="kept-"))  # short: sockets lie in it
    path = place / "config"
    path.write_text(config.format(place=place, mark=mark))
    start = _starter(libraries, place, module, entry, path)
    daemons = [start()]
    try:
        _eventually(lambda: len(_engines(mark)) == 1)
        (first,) = _engines(mark)
        daemons[0].kill()
        daemons[0].wait()
        daemons.append(start())
        _eventually(lambda: len(_engines(mark)) == 2)
        assert first in _engines(mark), "the old one lives on beside a second one: neither adopted nor ended"
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.wait()
        for pid in _engines(mark):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(place)


def _starter(
    libraries: Path, place: Path, module: str, entry: str, path: Path
) -> Callable[[], "subprocess.Popen[bytes]"]:
    code = f"import sys; path = sys.argv[1]; from {module} import main; {entry}"
    env = {**os.environ, "PYTHONPATH": str(libraries), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}

    def start() -> "subprocess.Popen[bytes]":
        with (place / "said").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-c", code, str(path)], env=env, cwd=place, stdout=said, stderr=said
            )

    return start


def _engines(mark: str) -> set[int]:
    found = set()
    for pid in proc.every():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes() == f"/bin/sleep\0{mark}\0".encode():
                found.add(pid)
    return found


def _eventually(look: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
