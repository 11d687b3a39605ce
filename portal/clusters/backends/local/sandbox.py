"""bubblewrap around every process of an instance, and the test that shows whether it holds on this host.

A sandboxed process sees the system's programs, its packages, its own directory, its sockets' directory, its log and its
artifacts, each at the same path as outside, so that a configuration reads the same with and without. User, process, IPC
and host name spaces are its own; the network is shared, since customers connect over it. Decision 0004 says more.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from portal.clusters.backends.local import files

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("ld.so.cache", "resolv.conf", "hosts", "nsswitch.conf", "localtime", "ssl", "ca-certificates", "alternatives")


@dataclass(frozen=True, slots=True)
class Room:
    """What one instance's processes may see."""

    handle: str
    writable: tuple[Path, ...]
    readable: tuple[Path, ...] = ()
    start_in: Path = Path("/")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How to put a command into a room; without ``bwrap`` commands run as they are, and ``reason`` says why."""

    bwrap: Path | None
    accounts: Path
    reason: str = ""

    @property
    def isolates(self) -> bool:
        return self.bwrap is not None

    def engine(self, room: Room, argv: Iterable[str], *, info_fd: int, block_fd: int) -> tuple[str, ...]:
        """Return the argv of a long-lived process: the first of its process space, so that nothing outlives it.

        bubblewrap tells its process id on ``info_fd`` and lets it begin once ``block_fd`` can be read.
        """
        if self.bwrap is None:
            return tuple(argv)
        return (*self._walls(room), "--as-pid-1", "--info-fd", str(info_fd), "--block-fd", str(block_fd), "--", *argv)

    def command(self, room: Room, argv: Iterable[str]) -> tuple[str, ...]:
        """Return the argv of a one-shot: it dies with whoever started it."""
        if self.bwrap is None:
            return ("/usr/bin/setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--", *argv)
        return (*self._walls(room), "--die-with-parent", "--", *argv)

    def _walls(self, room: Room) -> tuple[str, ...]:
        words = [str(self.bwrap), "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        words += ["--unshare-cgroup-try", "--disable-userns", "--cap-drop", "ALL", "--hostname", room.handle]
        words += ["--ro-bind", "/usr", "/usr", *_system_directories(), "--proc", "/proc", "--dev", "/dev"]
        for name in _ETC:
            words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        for name in ("passwd", "group"):
            words += ["--ro-bind", str(self.accounts / name), f"/etc/{name}"]
        words += ["--tmpfs", "/tmp", "--dir", "/var/tmp"]  # noqa: S108 - paths inside
        for path in room.readable:
            words += ["--ro-bind", str(path), str(path)]
        for path in room.writable:
            words += ["--bind", str(path), str(path)]
        return (*words, "--remount-ro", "/", "--chdir", str(room.start_in))


def _system_directories() -> list[str]:
    """Return how to show /bin, /lib and so on: links on merged systems, else the directories themselves."""
    words: list[str] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            words += ["--ro-bind", name, name]
    return words


def write_accounts(directory: Path) -> Path:
    """Write the passwd and group files that sandboxes see: this account alone."""
    files.private_directory(directory)
    uid, gid = os.getuid(), os.getgid()
    files.write(directory / "passwd", f"archipel:x:{uid}:{gid}::/:/usr/sbin/nologin\n".encode(), 0o644)
    files.write(directory / "group", f"archipel:x:{gid}:\n".encode(), 0o644)
    return directory


# ---- the test --------------------------------------------------------------------------------------------------------

PASSED = "isolated"
_SCRIPT = """
for secret in "$@"; do
    if [ -e "$secret" ]; then echo "sees $secret"; exit 1; fi
done
if kill -0 "$OUTSIDE" 2>/dev/null; then echo "may signal processes outside"; exit 1; fi
if [ "$(grep -c . /proc/[0-9]*/comm 2>/dev/null | wc -l)" -gt 8 ]; then echo "sees processes outside"; exit 1; fi
grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status || { echo "keeps capabilities"; exit 1; }
grep -q '^NoNewPrivs:[[:space:]]*1' /proc/self/status || { echo "may gain privileges"; exit 1; }
if (echo x > /usr/.archipel-probe) 2>/dev/null; then echo "may write to /usr"; exit 1; fi
if (echo x > "$READABLE/probe") 2>/dev/null; then echo "may write to packages"; exit 1; fi
echo x > "$WRITABLE/probe" || { echo "can't write to its own directory"; exit 1; }
echo isolated
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A command that tries to look and reach out of a sandbox, with real things outside for it to find."""

    argv: tuple[str, ...]
    env: dict[str, str]

    @classmethod
    def prepare(cls, sandbox: Sandbox, data: Path, run: Path) -> "Trial":
        """Lay out what must not be seen, and return the command that looks for it."""
        own, neighbor = data / "sandbox" / "self-test" / "own", data / "services" / ".self-test"
        package = data / "sandbox" / "self-test" / "package"
        for directory in (own, neighbor, package, run, data / "keys"):
            files.private_directory(directory)
        hidden = _hidden(data, run)
        for path in hidden:
            path.touch()
        room = Room("self-test", writable=(own,), readable=(package,), start_in=own)
        outside = [
            *hidden,
            data / "services",
            data / "stock",
            data / "keys",
            data / "ca",
            Path("/root"),
            Path("/home"),
            Path("/etc/shadow"),
        ]
        argv = sandbox.command(room, ("/bin/sh", "-c", _SCRIPT, "probe", *map(str, outside)))
        env = {"OUTSIDE": str(os.getpid()), "WRITABLE": str(own), "READABLE": str(package), "PATH": "/usr/bin:/bin"}
        return cls(argv, env)

    @staticmethod
    def clear(data: Path, run: Path) -> None:
        """Take away what was laid out."""
        for path in _hidden(data, run):
            path.unlink(missing_ok=True)
        files.remove_tree(data / "sandbox" / "self-test")
        files.remove_tree(data / "services" / ".self-test")


def _hidden(data: Path, run: Path) -> tuple[Path, ...]:
    return (data / "services" / ".self-test" / "secrets.json", data / "keys" / ".self-test", run / ".self-test")


def verdict(exit_code: int | None, output: str) -> str:
    """Return an empty text when the trial showed that isolation holds, else why it does not."""
    last = (output.strip().splitlines() or [""])[-1]
    if exit_code == 0 and last == PASSED:
        return ""
    return f"the sandbox does not hold on this host: {last[:200] or 'the trial could not run'}"
