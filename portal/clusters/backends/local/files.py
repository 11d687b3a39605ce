"""Writing files so that a crash leaves the old or the new content, never a half, and locks between processes."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


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


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes. The file stays, so that no two hold locks on different files of one name."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def private_directory(path: Path) -> Path:
    """Make a 0700 directory with its parents."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def remove_tree(path: Path) -> None:
    """Remove a directory whatever modes an engine left in it; missing is fine."""
    for directory, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            Path(directory).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def empty_directory(path: Path) -> None:
    """Leave an empty 0700 directory."""
    remove_tree(path)
    private_directory(path)
