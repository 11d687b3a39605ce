"""A whole portal on an island: a small disk of its own and a clock that can be set, both for real and without root.

The disk is a tmpfs of a fixed size in a mount name space that an anchor process holds open, so that it outlives every
``up``. The clock is libfaketime's, preloaded into all processes of the portal: it reads its offset from a file. The
engines' sandboxes clear the environment, so services keep the true time, as machines of their own would.
"""

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from portal.bootstrap.paths import run_directory
from portal.clusters.backends.local.packages import Package, PackageFetchFailed, Source, catalogue, ensure
from tests.journeys.instance import Instance

DISK_BYTES = 3 << 30  # memory is taken only for what is written
FAKETIME = "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
_MOUNT = 'mount -t tmpfs -o "size=$1,mode=0700" small "$2" && echo mounted && exec sleep infinity'


def lacking(reason: str) -> NoReturn:
    """Skip for want of something on this host. In CI that fails: what is left out in silence would be no test."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def tool(name: str, packages: Path, *, debian: str, program: str, expect: str) -> Path:
    """Return the directory of a Debian package that only these tests need, fetched as engines are."""
    entry = Package(
        key=name, title=name, source=Source.APT, name=debian, version="", digest="", packager="Debian", licence="",
        download_bytes=1_500_000, links={"usr": "usr"}, wrappers={name: program}, smoke=(f"bin/{name}", "--version"),
        expect=expect,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalogue.CATALOGUE, name, entry)  # type: ignore[arg-type]
        try:
            return ensure(name, prefix=packages)
        except PackageFetchFailed as error:
            lacking(str(error))


class Disk:
    """A file system of a fixed size, seen by those alone who are started through ``inside``."""

    def __init__(self, place: Path, size: int = DISK_BYTES) -> None:
        self.place = place
        place.mkdir(parents=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
        self._anchor = subprocess.Popen(
            ["unshare", *user, "--mount", "--", "sh", "-c", _MOUNT, "sh", str(size), str(place)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._anchor.stdout
        with self._anchor.stdout as words:
            if words.readline() != "mounted\n":
                lacking("no file system of its own can be had here: user name spaces are off")
        self.inside = ["nsenter", "--preserve-credentials", *(user and ["--user"]), "--mount"]
        self.inside += ["--target", str(self._anchor.pid), "--"]

    def path(self, inside: Path) -> Path:
        """Return how something on the disk is reached from outside."""
        return Path(f"/proc/{self._anchor.pid}/root{inside}")

    def fill(self) -> None:
        """Leave no byte and go on leaving none: what somebody frees is taken as well."""
        with self._ballast.open("wb", buffering=0) as file:
            for step in (1 << 20, 1 << 12, 1):
                while _takes(file.fileno(), step):
                    pass

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.path(self.place) / "ballast"

    def close(self) -> None:
        self._anchor.kill()
        self._anchor.wait()


def _takes(file: int, size: int) -> bool:
    try:
        return os.write(file, bytes(size)) == size
    except OSError:
        return False


class Clock:
    """The portal's time, as an offset to the true one."""

    def __init__(self, file: Path, packages: Path) -> None:
        home = tool("faketime", packages, debian="faketime libfaketime", program="usr/bin/faketime", expect="faketime")
        library = file.with_name("faketime.so")
        library.write_bytes(_without_its_nanosleep((home / "tree" / FAKETIME).read_bytes()))
        self._file = file
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as a real step does: time since boot goes on
            "NO_FAKE_STAT": "1",
        }
        self._keeper = self._share()

    def _share(self) -> subprocess.Popen[str]:
        """Have one process make the memory that libfaketime wants, for all: whoever is killed would leave its own."""
        keeper = subprocess.Popen(
            ["sh", "-c", 'echo "$FAKETIME_SHARED"; read -r nothing'],
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert keeper.stdout
        self.environment["FAKETIME_SHARED"] = keeper.stdout.readline().strip()
        return keeper

    def close(self) -> None:
        """Remove that memory: a semaphore and a page (shm_overview(7) says where they lie)."""
        self._keeper.communicate()
        semaphore, memory = self.environment["FAKETIME_SHARED"].split()
        Path(f"/dev/shm/sem.{semaphore.removeprefix('/')}").unlink(missing_ok=True)
        Path(f"/dev/shm/{memory.removeprefix('/')}").unlink(missing_ok=True)

    def set(self, seconds: int) -> None:
        """Have all processes of the portal see this offset from within a second on."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        draft.replace(self._file)
        self.seconds = seconds


def _without_its_nanosleep(library: bytes) -> bytes:
    """Return libfaketime with its clock_nanosleep under a name that nobody calls, so that libc's serves.

    That of 0.9.10 takes a deadline on the clock since boot for one in faked time, and every time.sleep fails. The first
    place of the name is in the table of symbols; what the library itself looks up stays.
    """
    return library.replace(b"\0clock_nanosleep\0", b"\0Clock_nanosleep\0", 1)


class Island(Instance):
    """A running portal that faults can be driven into."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk(folder / "disk")
        super().__init__(folder / "disk" / "data")
        packages = self.packages()
        self.clock = Clock(folder / "clock", packages)
        self.strace = (
            tool("strace", packages, debian="strace", program="usr/bin/strace", expect="strace") / "bin" / "strace"
        )
        self.prefix = self.disk.inside
        self.log = folder / "up.stderr"

    def packages(self) -> Path:
        """Engines don't lie on the small disk."""
        return Path(os.environ.get("ARCHIPEL_PACKAGES") or self.data.parent.parent / "packages")

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self.clock.environment, "ARCHIPEL_PACKAGES": str(self.packages())}

    def inside(self, *parts: str) -> Path:
        """Return something of the data directory, as reached from outside of the island."""
        return self.disk.path(self.data).joinpath(*parts)

    @property
    def socket(self) -> Path:
        """The directory with the sockets of the portal's database and broker."""
        return run_directory(self.data)

    def close(self) -> None:
        """Take disk and clock away."""
        self.disk.close()
        self.clock.close()
