"""Writing files so that a crash leaves the old or the new content, never a half, and locks between processes."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO


def write(path: Path, content: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace a file in one step; ``durable`` waits until it is on the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, mode: int = 0o600, *, durable: bool = True) -> None:
    write(path, json.dumps(value, separators=(",", ":"), default=str).encode(), mode, durable=durable)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file; None where there is no (readable) one."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def remove_unfinished(directory: Path) -> None:
    """Remove what ``write`` has left where a kill cut it off. Nobody may be writing there at the moment."""
    for left in directory.glob(".*.????????"):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes. The file stays, so that no two hold locks on different files of one name."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- below a directory that an engine may write to -------------------------------------------------------------------
# It could put a link anywhere in there, so every step is taken from an open directory and follows none.


def open_below(root: Path, relative: str) -> BinaryIO:
    """Open a plain file for reading. Raises OSError for a link on the way, as for a missing file."""
    with _directory_below(root, relative, make=False) as (directory, name):
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise FileNotFoundError(errno.ENOENT, "not a plain file", relative)
        return os.fdopen(handle, "rb")


def read_below(root: Path, relative: str) -> bytes | None:
    """Return a file's content; None where there is no plain file."""
    try:
        with open_below(root, relative) as file:
            return file.read()
    except OSError:
        return None


def write_below(root: Path, relative: str, content: bytes, mode: int, *, durable: bool = True) -> None:
    """Replace a file in one step, making its directories. Raises OSError for a link on the way."""
    with _directory_below(root, relative, make=True) as (directory, name):
        passing = f".{name}.new"
        with contextlib.suppress(FileNotFoundError):  # of a write that a kill cut off
            os.unlink(passing, dir_fd=directory)
        handle = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(passing, name, src_dir_fd=directory, dst_dir_fd=directory)


def remove_below(root: Path, relative: str) -> None:
    """Remove a file or a link; missing is fine."""
    with contextlib.suppress(OSError), _directory_below(root, relative, make=False) as (directory, name):
        os.unlink(name, dir_fd=directory)


@contextlib.contextmanager
def _directory_below(root: Path, relative: str, *, make: bool) -> Iterator[tuple[int, str]]:
    """Open the directory that holds ``relative``, one step after the other."""
    *parents, name = plain_parts(relative)
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parents:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=directory)
            deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = deeper
        yield directory, name
    finally:
        os.close(directory)


def plain_parts(relative: str) -> tuple[str, ...]:
    """Return the parts of a path that stays below where it begins. Raises FileNotFoundError for any other."""
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise FileNotFoundError(errno.ENOENT, "not a path inside the directory", relative)
    return path.parts


# ---- directories -----------------------------------------------------------------------------------------------------


def private_directory(path: Path) -> Path:
    """Make a 0700 directory with its parents."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def remove_tree(path: Path) -> None:
    """Remove a directory whatever modes an engine left in it; missing is fine."""
    with contextlib.suppress(OSError):
        path.chmod(0o700)
    for directory, names, _ in os.walk(path):
        for name in names:
            inner = Path(directory, name)
            if not inner.is_symlink():
                inner.chmod(0o700)  # before the walk goes in there
    shutil.rmtree(path, ignore_errors=True)


def sync_tree(path: Path) -> None:
    """Wait until a directory with all that is in it is on the disk. Raises OSError."""
    for directory, _, names in os.walk(path):
        for name in (*names, "."):
            _sync(Path(directory, name))


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk. Raises OSError."""
    _sync(path)


def _sync(path: Path) -> None:
    """Sync a plain file or a directory; links and sockets have nothing of their own."""
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def empty_directory(path: Path) -> None:
    """Leave an empty 0700 directory."""
    remove_tree(path)
    private_directory(path)
