"""Where an instance's things lie, and the wish that says what it should be.

``DIR/services/<handle>/``: ``unit.json`` (the wish), ``secrets.json``, ``state.json`` (what the supervisor saw),
``prepared`` (the data directory is complete: never emptied again), ``companions/`` (which of them were prepared),
``log/`` (what processes said; ``log/own`` is the engine's ``{{log}}``), ``root/`` and ``artifacts/``. A process sees
``root``, ``artifacts`` and ``log/own`` alone, so it can put no link in the way of what the portal writes and reads.
``{{run}}`` is a short path, for sockets.
"""

import fcntl
import secrets as randomness
import string
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from portal.bootstrap import paths
from portal.clusters.backends.local import files
from portal.core.drivers import GeneratedSecret

_REMEMBERED = 30 * 86_400.0  # seconds; leases and queues forget within minutes
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Wish:
    """What an instance should be. ``want`` is running, stopped or absent; a lower ``fence`` than stored is ignored."""

    handle: str
    fence: int
    generation: int
    want: str
    unit: Mapping[str, Any] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()  # further names for the certificate


class Home:
    """The directory of one instance. ``path`` is given only for one that is none yet."""

    def __init__(self, data: Path, handle: str, path: Path | None = None) -> None:
        self.handle = handle
        self.data = data
        self.path = path or data / "services" / handle
        self.root = self.path / "root"
        self.artifacts = self.path / "artifacts"
        self.log = self.path / "log"
        self.own_log = self.log / "own"
        self.run = paths.run_directory(data) / handle
        self.trash = data / "services" / f".gone-{handle}"
        self.prepared = self.path / "prepared"
        self.companions = self.path / "companions"
        self.secrets_file = self.path / "secrets.json"
        self.state_file = self.path / "state.json"
        self.sample_file = self.path / "sample.json"
        self.documents = self.path / "documents"
        self._wish_file = self.path / "unit.json"
        self._fence_file = self.path / "fence"  # of the last wish that was the same
        self.hold_file = self.path / "hold"
        self._tombstone = tombstones(data) / handle

    def make(self) -> None:
        """Make all directories that are missing."""
        for directory in (self.path, self.root, self.artifacts, self.log, self.own_log, self.run):
            files.private_directory(directory)

    def companion_prepared(self, name: str) -> Path:
        """Return the file that is there once a companion's preparation is complete."""
        return self.companions / name

    def tidy(self) -> None:
        """Remove what a kill has left of writes; the supervisor calls it before it writes anything itself."""
        if self.exists():
            with files.locked(self.path / ".lock"):
                files.remove_unfinished(self.path)

    def exists(self) -> bool:
        return self.path.exists()

    def buried(self) -> bool:
        """Say whether this handle was taken away for good: handles are never used again."""
        return self._tombstone.exists()

    def bury(self) -> None:
        """Remember that this handle is gone, so that a late wish can't bring it back, and forget the wish itself."""
        files.private_directory(self._tombstone.parent)
        self._tombstone.touch()
        files.remove_tree(self.run)
        if self.path.exists():
            self.path.rename(self.trash)
        files.remove_tree(self.trash)

    # ---- the wish ----------------------------------------------------------------------------------------------------

    def wish(self) -> Wish | None:
        """Return the stored wish; None where there is none."""
        stored = files.read_json(self._wish_file)
        if stored is None:
            return None
        wish = Wish(**{**stored, "hosts": tuple(stored.get("hosts", ()))})
        return replace(wish, want="stopped") if wish.want == "running" and self.held() else wish

    def held(self) -> bool:
        """Whether somebody who copies its files has it stand still: a lock on ``hold_file``, which ends with a kill."""
        try:
            with self.hold_file.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def stamp(self) -> tuple[int, int] | None:
        """Return what changes whenever the wish or the secrets do; None without a wish."""
        times = [_changed_at(self._wish_file), _changed_at(self.secrets_file)]
        return (times[0], times[1] + self.held()) if times[0] else None

    def record(self, wish: Wish) -> bool:
        """Store a wish unless a newer one is there or the service is gone. Return whether it was taken."""
        if self.buried():
            return False
        files.private_directory(self.path)
        with files.locked(self.path / ".lock"):
            if self._comes_too_late():
                return False
            stored = self.wish()
            if stored and (self._newest_fence(stored) > wish.fence or stored.want == "absent"):
                return False
            if stored is None or replace(stored, fence=wish.fence) != wish:
                files.write_json(self._wish_file, asdict(wish))
            elif stored.fence != wish.fence:  # nothing to do for anybody, so the wish itself stays untouched
                files.write(self._fence_file, str(wish.fence).encode(), durable=False)
        return True

    def _comes_too_late(self) -> bool:
        """Whether it was buried just before the caller made its directory anew, which goes again."""
        if not self.buried():
            return False
        files.remove_tree(self.path)
        return True

    def _newest_fence(self, stored: Wish) -> int:
        try:
            return max(stored.fence, int(self._fence_file.read_text()))
        except (OSError, ValueError):
            return stored.fence

    # ---- documents ---------------------------------------------------------------------------------------------------

    def kept_documents(self) -> dict[str, int]:
        """Return the newest revision of each document that lies here whole."""
        found: dict[str, int] = {}
        for path in self.documents.iterdir() if self.documents.is_dir() else ():
            kind, _dot, revision = path.name.rpartition(".")
            if kind and revision.isdigit():
                found[kind] = max(found.get(kind, 0), int(revision))
        return found

    def put_document(self, kind: str, revision: int, pieces: Iterable[str]) -> bool:
        """Keep a document under its revision, then forget older ones. Return whether it was taken."""
        content = "".join(pieces).encode()  # read from the database, so before the lock
        files.private_directory(self.path)
        with files.locked(self.path / ".lock"):
            if self._comes_too_late() or self.kept_documents().get(kind, 0) >= revision:
                return False
            files.private_directory(self.documents)
            files.write(self.documents / f"{kind}.{revision}", content)
            for path in self.documents.glob(f"{kind}.*"):
                if path.name != f"{kind}.{revision}" and path.name.rpartition(".")[2].isdigit():
                    path.unlink(missing_ok=True)
        return True

    def document(self, kind: str, revision: int) -> bytes | None:
        """Return a document; the newest, where the one that is asked for was overtaken."""
        kept = self.kept_documents().get(kind, 0)
        return (self.documents / f"{kind}.{kept}").read_bytes() if kept >= revision else None

    # ---- secrets -----------------------------------------------------------------------------------------------------

    def secrets(self) -> dict[str, dict[str, str]]:
        """Return the values of all generated secrets by name and key."""
        stored = files.read_json(self.secrets_file) or {}
        return {name: entry["values"] for name, entry in stored.items()}

    def ensure_secrets(self, wanted: Iterable[GeneratedSecret]) -> bool:
        """Make what is missing or has a risen rotation, leave the rest. Return whether anything was made."""
        files.private_directory(self.path)
        with files.locked(self.path / ".lock"):
            if self._comes_too_late():
                return False
            stored = files.read_json(self.secrets_file) or {}
            made = [secret for secret in wanted if _outdated(stored.get(secret.name), secret)]
            for secret in made:
                stored[secret.name] = _generate(secret, stored.get(secret.name))
            if made:
                files.write_json(self.secrets_file, stored)
        return bool(made)


def tombstones(data: Path) -> Path:
    return data / "services" / ".tombstones"


def handles(data: Path) -> list[str]:
    """Return the handles of all instances that have a directory."""
    services = data / "services"
    return (
        sorted(path.name for path in services.iterdir() if not path.name.startswith(".")) if services.is_dir() else []
    )


def sweep_trash(data: Path) -> None:
    """Finish the removals that a crash cut off, and forget the tombstones that no late wish can need any more."""
    services = data / "services"
    for left in services.glob(".gone-*") if services.is_dir() else ():
        files.remove_tree(left)
    for stone in tombstones(data).iterdir() if tombstones(data).is_dir() else ():
        if time.time() - stone.stat().st_mtime > _REMEMBERED:
            stone.unlink(missing_ok=True)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _outdated(stored: dict[str, Any] | None, secret: GeneratedSecret) -> bool:
    if stored is None or stored["rotation"] < secret.rotation:
        return True
    return not set(secret.keys) <= set(stored["values"])


def _generate(secret: GeneratedSecret, stored: dict[str, Any] | None) -> dict[str, Any]:
    kept = stored["values"] if stored and stored["rotation"] >= secret.rotation else {}
    values = {key: kept.get(key) or _random(secret.length) for key in secret.keys}
    return {"rotation": secret.rotation, "values": values}


def _random(length: int) -> str:
    return "".join(randomness.choice(_ALPHABET) for _ in range(length))
