"""One file that holds a whole portal: a ZIP whose members are sized and summed in its manifest, which comes last.

Standard library only: a restore reads it before there is a database or a setting. It can be written to any stream; a
file that was cut off has no directory, and a changed one no matching sum: both are known before anything is unpacked.
"""

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database.dump"
CHUNK = 1 << 20


class Damaged(Exception):
    """The file is none of ours, was cut off or was changed; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: bytes and SHA-256 of its content."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Service:
    """How one service's data got into the archive: a ``backup`` of its own kind, or a ``copy`` of its files at rest."""

    handle: str
    name: str
    how: str
    child: str = ""  # id of the backup


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in the archive and what can read it. ``migrations`` are those of our own apps, as ``app.name``."""

    format: int
    portal: str
    made_at: str
    server: str  # version of the database server that was dumped
    migrations: list[str]
    services: list[Service]
    members: list[Member] = field(default_factory=list)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Manifest":
        """Raises KeyError, TypeError or ValueError for what is none."""
        services = [Service(**entry) for entry in value["services"]]
        return cls(**{**value, "services": services, "members": [Member(**entry) for entry in value["members"]]})


class _Summed(io.RawIOBase):
    """A stream into one member that counts and sums what passes."""

    def __init__(self, inner: IO[bytes]) -> None:
        super().__init__()
        self._inner = inner
        self.size, self.digest = 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.size += len(data)
        self.digest.update(data)
        return self._inner.write(data)


class Writer:
    """An archive being made on a binary stream."""

    def __init__(self, target: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)
        self.members: list[Member] = []

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[_Summed]:
        """Write one member of unknown length."""
        with self._zip.open(name, "w", force_zip64=True) as inner:
            stream = _Summed(inner)
            yield stream
        self.members.append(Member(name, stream.size, stream.digest.hexdigest()))

    def add_bytes(self, name: str, content: bytes) -> None:
        with self.member(name) as stream:
            stream.write(content)

    def add_tree(self, name: str, paths: Iterable[tuple[Path, str]]) -> None:
        """Add files and directories as one compressed tar; sockets and pipes are nothing to keep."""
        with self.member(name) as stream, gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as zipped:
            with tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for path, inside in paths:
                    tar.add(path, inside, filter=_plain)

    def finish(self, manifest: Manifest) -> None:
        """Write what everything else is checked by."""
        content = {**asdict(manifest), "members": [asdict(member) for member in self.members]}
        self._zip.writestr(MANIFEST, json.dumps(content, indent=1))

    def close(self) -> None:
        """End the file; one without a manifest is nobody's backup."""
        self._zip.close()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what is no file, directory or link, and whose account it was: all goes to who restores."""
    if not (entry.isfile() or entry.isdir() or entry.issym() or entry.islnk()):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


class Reader:
    """An archive being read. Raises Damaged, OSError."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            self.manifest = Manifest.from_json(json.loads(self._zip.read(MANIFEST)))
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as error:
            raise Damaged(f"{path} is no backup of a portal, or was cut off or changed") from error
        self._wanted = {member.name: member for member in self.manifest.members}

    def names(self, prefix: str = "") -> list[str]:
        return sorted(name for name in self._wanted if name.startswith(prefix))

    def verify(self) -> None:
        """Read all of it through. Nothing is unpacked from an archive for which this raises Damaged."""
        there = sorted(entry.filename for entry in self._zip.infolist() if entry.filename != MANIFEST)
        if there != sorted(self._wanted):
            raise Damaged("the file holds other things than its manifest says")
        for member in self._wanted.values():
            if (member.size, member.sha256) != self._summed(member.name):
                raise Damaged(f"{member.name} in it is damaged")

    def _summed(self, name: str) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        try:
            with self._zip.open(name) as stream:
                while chunk := stream.read(CHUNK):
                    size += len(chunk)
                    digest.update(chunk)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
            raise Damaged(f"{name} in it is damaged") from error
        return size, digest.hexdigest()

    def content(self, name: str) -> bytes:
        return self._zip.read(name)

    def copy(self, name: str, write: Callable[[bytes], object]) -> None:
        """Pass a member's content on piece by piece."""
        with self._zip.open(name) as stream:
            while chunk := stream.read(CHUNK):
                write(chunk)

    def unpack(self, name: str, directory: Path) -> None:
        """Unpack a tree into a directory. Nothing gets out of it, links of tenants' engines are never followed."""
        with self._zip.open(name) as stream, tarfile.open(fileobj=stream, mode="r|gz") as tar:
            tar.extraction_filter = lambda entry, _path: entry  # checked below: Debian 12's Python has no filters
            for entry in tar:
                _check(entry, directory.resolve())
                entry.mode &= 0o755
                tar.extract(entry, directory)


def _check(entry: tarfile.TarInfo, directory: Path) -> None:
    """Refuse what would be written anywhere but below the directory. Raises Damaged."""
    for name in (entry.name, entry.linkname if entry.islnk() else entry.name):
        place = directory / name
        if ".." in Path(name).parts or not place.parent.resolve().is_relative_to(directory):
            raise Damaged(f"{name} in it would lie outside of the data directory")
