"""What an instance may take: a control group where one is delegated to this account, else process limits.

cgroup v2 below our own group, else the v1 controllers below ours, else rlimits alone. Of those RLIMIT_AS would break
engines that map far more than they touch (PostgreSQL's shared buffers, any JVM), so memory is bounded by RLIMIT_DATA:
private writable memory of each process (since Linux 4.7), which lets a runaway query fail with "out of memory" and
leaves shared buffers alone. RLIMIT_NPROC counts per user name space only since Linux 5.14, and only where it is lowered
inside of it, so it is set only there; elsewhere it would count all instances together.
"""

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portal.core.drivers import Limits

_V2 = ("memory", "cpu", "pids")
_LEAF = "portal"
_PERIOD = 100_000  # microseconds, the kernel's own default for cpu.max and cpu.cfs_period_us
_LEAST_DATA = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Groups:
    """Where groups may be made: a directory for each controller. Empty: not delegated."""

    version: int
    parents: dict[str, Path]

    def join(self, handle: str, limits: Limits, pid: int) -> None:
        """Put a process that has not begun yet into its instance's group. A refusal leaves it to the rlimits."""
        for controller, parent in self.parents.items():
            group = parent / handle
            with contextlib.suppress(OSError):
                group.mkdir(exist_ok=True)
                for name, value in self._settings(controller, limits):
                    (group / name).write_text(value)
                (group / "cgroup.procs").write_text(str(pid))

    def remove(self, handle: str) -> None:
        """Remove the groups of an instance whose processes are gone."""
        for parent in self.parents.values():
            with contextlib.suppress(OSError):
                (parent / handle).rmdir()

    def _settings(self, controller: str, limits: Limits) -> Iterator[tuple[str, str]]:
        quota = int(limits.cpu * _PERIOD)
        memory = limits.memory_mib * 1024 * 1024
        if self.version == 2:
            yield "memory.max", str(memory or "max")
            yield "cpu.max", f"{quota or 'max'} {_PERIOD}"
            yield "pids.max", str(limits.processes or "max")
        elif controller == "memory":
            yield "memory.limit_in_bytes", str(memory or -1)
        elif controller == "cpu":
            yield "cpu.cfs_period_us", str(_PERIOD)
            yield "cpu.cfs_quota_us", str(quota or -1)
        elif controller == "pids":
            yield "pids.max", str(limits.processes or "max")


def find_groups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Groups:
    """Return where this process may make groups of its own."""
    lines = [line.split(":", 2) for line in _lines(own)]
    for number, _, path in lines:
        if number == "0" and (groups := _version_2(root / path.lstrip("/"))):
            return groups
    return Groups(1, _version_1(root, lines))


def describe(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> str:
    """Say what is delegated, without touching anything: "v2", "v1 cpu memory" or empty."""
    lines = [line.split(":", 2) for line in _lines(own)]
    for number, _, path in lines:
        if number == "0" and _is_delegated(root / path.lstrip("/")):
            return "v2"
    found = sorted(_version_1(root, lines))
    return f"v1 {' '.join(found)}" if found else ""


def _version_1(root: Path, lines: list[list[str]]) -> dict[str, Path]:
    found = {}
    for _, controllers, path in lines:
        for controller in controllers.split(","):
            parent = root / controller / path.lstrip("/")
            if controller in _V2 and os.access(parent, os.W_OK):
                found[controller] = parent
    return found


def _is_delegated(parent: Path) -> bool:
    """Say whether a v2 group is ours; the supervisor's own leaf counts for the group above it."""
    group = parent.parent if parent.name == _LEAF else parent
    controllers = set(" ".join(_lines(group / "cgroup.controllers")).split())
    return os.access(group / "cgroup.subtree_control", os.W_OK) and set(_V2) <= controllers


def _version_2(parent: Path) -> Groups | None:
    """Take a delegated v2 group: its processes move to a leaf, as one with controllers below may hold none itself."""
    if not _is_delegated(parent):
        return None
    parent = parent.parent if parent.name == _LEAF else parent
    try:
        leaf = parent / _LEAF
        leaf.mkdir(exist_ok=True)
        for pid in _lines(parent / "cgroup.procs"):
            with contextlib.suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(pid)
        (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _V2))
    except OSError:
        return None
    return Groups(2, {"": parent})


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().split("\n")[:-1]
    except OSError:
        return []


def rlimits(limits: Limits, *, sandboxed: bool, grouped: bool) -> tuple[str, ...]:
    """Return the words to put before a command: ``prlimit`` with what control groups don't already bound."""
    words = ["/usr/bin/prlimit", "--core=0"]
    if limits.open_files:
        words.append(f"--nofile={min(limits.open_files, _hard_open_files())}")
    if limits.memory_mib and not grouped:
        words.append(f"--data={max(limits.memory_mib * 1024 * 1024, _LEAST_DATA)}")
    if limits.processes and sandboxed and not grouped and _counts_per_namespace():
        words.append(f"--nproc={limits.processes}")
    return (*words, "--")


def _hard_open_files() -> int:
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard > 0 else 1 << 20


def _counts_per_namespace() -> bool:
    major, minor = (int("".join(filter(str.isdigit, part)) or 0) for part in platform.release().split(".")[:2])
    return (major, minor) >= (5, 14)
