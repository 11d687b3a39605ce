"""One-shot commands in an instance's sandbox: preparation, probes, samplers and runs.

Each dies with the supervisor, so a crash leaves none behind; a timeout or a cancellation kills all that it started.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.clusters.backends.local import limits, render
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.limits import Groups
from portal.clusters.backends.local.render import Values
from portal.clusters.backends.local.sandbox import Room, Sandbox
from portal.clusters.backends.local.supervisor.children import Child, Children, exit_line, kill_session
from portal.core.drivers import Limits

KEEP_HEAD, KEEP_TAIL = 48 * 1024, 16 * 1024
CUT = "\n[...]\n"  # stands for what lay between


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance's processes run: everything that a start needs besides the command itself."""

    home: Home
    children: Children
    sandbox: Sandbox
    groups: Groups
    room: Room
    values: Values
    limits: Limits
    env: Mapping[str, str]

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return a process's whole environment: nothing of the supervisor's own comes along."""
        return {**self.env, **self.values.env(extra)}

    def confined(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Put the process limits before an argv: inside the sandbox, so that they count its own processes only."""
        grouped = "memory" in self.groups.parents or self.groups.version == 2
        return (*limits.rlimits(self.limits, sandboxed=self.sandbox.isolates, grouped=grouped), *argv)


def base_environment(home: Home, values: Values, env: Mapping[str, str]) -> dict[str, str]:
    """Return what every process of an instance gets; the two marks tell whose it is, whatever happens to us."""
    programs = [str(prefix / "bin") for prefix in values.packages.values()]
    return {
        "PATH": ":".join((*programs, "/usr/bin", "/bin")),
        "HOME": str(home.root),
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 - private in the sandbox
        "TZ": "UTC",
        **values.env(env),
        "ARCHIPEL_DATA": str(home.data),
        "ARCHIPEL_SERVICE": home.handle,
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a one-shot ended. ``exit_code`` None: it ran into its time limit or could not be started."""

    exit_code: int | None
    stdout: str
    stderr: str
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0

    def output(self) -> str:
        """Return what a reader wants: the output of a success, everything of a failure."""
        if self.succeeded:
            return self.stdout
        return "\n".join(part for part in (self.stderr.strip(), self.stdout.strip(), self.problem) if part)

    def last_line(self) -> str:
        """Return one line that says what went wrong."""
        lines = [line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return (self.problem or (lines[-1] if lines else exit_line(self.exit_code)))[:300]


@dataclass(slots=True)
class _Capture:
    """Keeps the head and the tail of what is written to a pipe."""

    read_end: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    cut: bool = False

    def drain(self) -> bool:
        """Take what is there. Return False at the end."""
        try:
            while chunk := os.read(self.read_end, 65536):
                self._keep(chunk)
        except BlockingIOError:
            return True
        return False

    def text(self) -> str:
        middle = CUT.encode() if self.cut else b""
        return bytes(self.head + middle + self.tail).decode(errors="replace")

    def _keep(self, chunk: bytes) -> None:
        room = KEEP_HEAD - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:]
        if len(self.tail) > KEEP_TAIL:
            self.cut = True
            del self.tail[: len(self.tail) - KEEP_TAIL]


async def run(
    place: Place,
    argv: tuple[str, ...],
    *,
    stdin: str,
    env: Mapping[str, str],
    timeout: float,
    before: tuple[str, ...] = (),
) -> Outcome:
    """Run a command of a unit to its end; its output comes back without secrets. Raises RenderError.

    ``before`` are words of ours that come first, outside the sandbox.
    """
    full = (*before, *place.sandbox.command(place.room, place.confined(place.values.argv(argv))))
    environment = place.environment(env)
    outcome = await execute(place, full, place.values.text(stdin).encode(), environment, timeout)
    secrets = place.values.secrets
    return Outcome(
        outcome.exit_code,
        render.mask_cut(outcome.stdout, secrets, CUT),
        render.mask_cut(outcome.stderr, secrets, CUT),
        outcome.problem,
    )


async def execute(place: Place, argv: tuple[str, ...], stdin: bytes, env: Mapping[str, str], timeout: float) -> Outcome:
    """Run an argv as it is."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(os.fdopen(os.memfd_create("input"), "w+b"))
        source.write(stdin)
        source.seek(0)
        out, out_end = _pipe(stack)
        err, err_end = _pipe(stack)
        cwd = place.home.root if not place.sandbox.isolates else place.home.path
        try:
            child = place.children.spawn(argv, env=env, cwd=cwd, stdin=source, stdout=out_end, stderr=err_end)
        except OSError as error:
            return Outcome(None, "", "", f"it could not be started: {error.strerror}")
        place.groups.join(place.home.handle, place.limits, child.pid)
        for end in (out_end, err_end):
            os.close(end)
        return await _attend(stack, child, out, err, timeout)


def _pipe(stack: contextlib.ExitStack) -> tuple[_Capture, int]:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    stack.callback(os.close, read_end)
    return _Capture(read_end), write_end


async def _attend(stack: contextlib.ExitStack, child: Child, out: _Capture, err: _Capture, timeout: float) -> Outcome:
    loop = asyncio.get_running_loop()
    for capture in (out, err):
        loop.add_reader(capture.read_end, _read, loop, capture)
        stack.callback(loop.remove_reader, capture.read_end)
    problem = ""
    code: int | None = None
    try:
        async with asyncio.timeout(timeout):
            code = await asyncio.shield(child.ended)
    except TimeoutError:
        problem = f"it took longer than {timeout:g} s"
    finally:
        if not child.ended.done():
            kill_session(child.pid, signal.SIGKILL)
            await asyncio.shield(child.ended)
    for capture in (out, err):
        capture.drain()
    return Outcome(code, out.text(), err.text(), problem)


def _read(loop: asyncio.AbstractEventLoop, capture: _Capture) -> None:
    if not capture.drain():
        loop.remove_reader(capture.read_end)
