"""A whole portal, started by ``manage.py up`` as a user would, on a directory and a port of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 600  # a cold start fetches engines
MANAGE = [sys.executable, str(ROOT / "manage.py")]


def eventually(question: Callable[[], Any], *, within: float = 30.0, what: str = "") -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + within
    answer: Any = None
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            answer = question()
        except (OSError, urllib.error.URLError) as error:
            answer = None
            what = what or str(error)
        if answer:
            return answer
        pause.wait(0.1)
    raise AssertionError(f"not within {within} s: {what or question}")


class Instance:
    """One running portal."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None
        self.prefix: list[str] = []  # of every command, where it has to run somewhere else
        self.log = self.data.parent / f"{self.data.name}.stderr"

    def environment(self) -> dict[str, str]:
        """Return what ``up`` gets: nothing of this test run's own database, broker or settings."""
        dropped = (
            "DATABASE_URL",
            "BROKER_URL",
            "CACHE_URL",
            "SECRET_KEY",
            "DJANGO_SETTINGS_MODULE",
            "PYTEST_CURRENT_TEST",
        )
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, "ARCHIPEL_DATA": str(self.data), "ARCHIPEL_PORT": str(self.port)}

    def up(self) -> None:
        """Start it and wait for the ready line."""
        with self.log.open("a") as progress:
            self.process = subprocess.Popen(
                [*self.prefix, *MANAGE, "up", "--data", str(self.data), "--port", str(self.port)],
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=progress,
                text=True,
            )
        assert self.process.stdout
        with self.process.stdout as words:
            line = words.readline()
        assert line == f"Archipel is ready: {self.url}/\n", line or self.log.read_text()[-3000:]

    def manage(self, *words: str, within: float = 120) -> str:
        """Run a command beside the portal; return its standard output."""
        done = subprocess.run(
            [*self.prefix, *MANAGE, *words],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def packages(self) -> Path:
        """Return where this instance keeps its engines."""
        return Path(os.environ.get("ARCHIPEL_PACKAGES") or self.data / "packages")

    def token(self, email: str = "admin@example.org") -> str:
        return self.manage("token", email).strip().splitlines()[-1]

    def signin(self, email: str = "admin@example.org") -> str:
        """Return a one-time link."""
        words = self.manage("signin", email).split()
        return next(word for word in words if "/sign-in/" in word)

    def processes(self) -> dict[int, str]:
        """Return what runs for this instance, by pid: everything with its directory in the environment."""
        return dict(_processes(self.data))

    def down(self, within: float = 180) -> None:
        """Send SIGTERM to whatever ``up`` is by now, and see that nothing is left."""
        for pid, command in self.processes().items():
            if "manage.py" in command and " up" in command:
                with contextlib.suppress(ProcessLookupError):  # it went with another one
                    os.kill(pid, signal.SIGTERM)
        if self.process is not None:
            self.process.wait(within)
        eventually(lambda: not self.processes(), within=within, what=f"still there: {self.processes()}")


def _processes(data: Path) -> Iterator[tuple[int, str]]:
    mark = f"ARCHIPEL_DATA={data}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue
            yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


class Api:
    """The API as a script knows it: names from API.md only."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Return status, decoded body and headers."""
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                return answer.status, _decoded(answer.read(), answer.headers), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read(), error.headers), dict(error.headers)

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return the body of a call that must succeed."""
        status, answer, _headers = self.call(method, path, body, **headers)
        assert 200 <= status < 300, (status, answer)
        return answer

    def finished(self, operation: dict[str, Any], within: float = 600) -> dict[str, Any]:
        """Wait for an operation's end by the API's own means; it must succeed."""
        deadline = time.monotonic() + within
        path = f"/api/v1/operations/{operation['id']}?wait=30"  # the answer comes when it has ended
        pause = threading.Event()
        while operation["state"] in ("queued", "running", "pending_approval") and time.monotonic() < deadline:
            status, answer, headers = self.call("GET", path)
            if status in (429, 503):  # many wait already, say: the answer tells when to ask again
                pause.wait(float(headers.get("Retry-After", 1)))
                continue
            assert status == 200, (status, answer)
            operation = answer
        assert operation["state"] == "succeeded", operation
        return operation


def _decoded(body: bytes, headers: Any) -> Any:
    return json.loads(body) if "json" in headers.get("Content-Type", "") and body else body
