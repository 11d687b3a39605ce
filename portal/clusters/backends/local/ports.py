"""Handing out TCP ports: unique within a cluster (a table holds them) and on the machine (claims of whole blocks).

A port belongs to its service until that is deleted, whether it runs or not. Several portals on one machine keep apart
by claiming blocks of 100 ports per data directory in a directory that all of them see.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from portal.core.errors import TemporaryError

FIRST, LAST, BLOCK = 20000, 31999, 100
CLAIMS = Path("/var/tmp/archipel-ports")  # noqa: S108 - machine-wide by intent; survives a restart, unlike /tmp


class PortStore(Protocol):
    """Where reservations are kept: a table of the portal's database, a dictionary in tests."""

    def of(self, handle: str) -> Mapping[str, int]: ...

    def taken(self) -> set[int]: ...

    def add(self, handle: str, name: str, port: int) -> bool:
        """Reserve; False where another one got the port or the name first."""
        ...

    def release(self, handle: str) -> None: ...


class Allocator:
    """Reserves ports for services."""

    def __init__(self, store: PortStore, data: Path, claims: Path = CLAIMS) -> None:
        self._store = store
        self._owner = str(data)
        self._claims = claims

    def ensure(self, handle: str, names: tuple[str, ...]) -> Mapping[str, int]:
        """Return a port for each name, reserved now where it was not. Raises TemporaryError when none is free."""
        held = self._store.of(handle)
        if missing := [name for name in names if name not in held]:
            for name in missing:
                self._reserve(handle, name)
            held = self._store.of(handle)
        return held

    def held(self, handle: str) -> Mapping[str, int]:
        return self._store.of(handle)

    def release(self, handle: str) -> None:
        self._store.release(handle)

    def may_have(self, port: int) -> bool:
        """Claim a port that a restored portal had elsewhere; say whether it is free here, for this portal to use."""
        start = port - (port - FIRST) % BLOCK
        return FIRST <= port <= LAST and bindable(port) and self._claim(start)

    def _reserve(self, handle: str, name: str) -> None:
        taken = self._store.taken()
        for port in self._candidates(taken):
            if bindable(port) and (self._store.add(handle, name, port) or name in self._store.of(handle)):
                return
        raise TemporaryError("No TCP port is free in this region. An operator can delete unused services.")

    def _candidates(self, taken: set[int]) -> Iterator[int]:
        for start in range(FIRST, LAST, BLOCK):
            free = [port for port in range(start, start + BLOCK) if port not in taken]
            if free and self._claim(start):
                yield from free

    def _claim(self, start: int) -> bool:
        """Hold a block for this data directory; True when it is ours. A claim whose directory is gone lapses."""
        with _shared_directory(self._claims):
            file = self._claims / str(start)
            owner = _read(file)
            if owner == self._owner:
                return True
            if owner is not None and (_in_use(owner) or not _removed(file)):
                return False
            return _create(file, self._owner)


def forget(data: Path, claims: Path = CLAIMS) -> None:
    """Give back the blocks of a data directory that goes."""
    if claims.is_dir():
        with _shared_directory(claims):
            for file in claims.iterdir():
                if _read(file) == str(data):
                    _removed(file)


@contextlib.contextmanager
def _shared_directory(path: Path) -> Iterator[None]:
    """Hold the lock of a directory that every account may add to, but not remove others' files from."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(parents=True)
        path.chmod(0o1777)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _create(file: Path, owner: str) -> bool:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except OSError:
        return False
    with os.fdopen(handle, "w") as claim:
        claim.write(owner)
    return True


def _read(file: Path) -> str | None:
    """Return whose claim it is: empty for one that was cut off while being written, None where there is none."""
    try:
        return file.read_text()
    except FileNotFoundError:
        return None
    except OSError:
        return "/"


def _in_use(owner: str) -> bool:
    """Say whether a claim's data directory may still be there; one that we may not look at counts as there."""
    try:
        return bool(owner) and Path(owner).exists()
    except OSError:
        return True


def _removed(file: Path) -> bool:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def bindable(port: int, *, probe: Callable[[], socket.socket] = socket.socket) -> bool:
    """Say whether nothing listens on the port of this machine's loopback."""
    with probe() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
