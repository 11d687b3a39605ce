"""From a unit and its wish to what a start needs: places, values, files, and the digests that tell what changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from portal.clusters.backends.local import files
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.render import RenderError, Values
from portal.clusters.backends.local.sandbox import Room
from portal.clusters.backends.local.supervisor.commands import Place, base_environment
from portal.clusters.backends.local.supervisor.engine import Identity
from portal.clusters.backends.local.supervisor.host import Host
from portal.core.drivers import File, Input, Unit

Rendered = dict[str, tuple[bytes, File]]
_CERTIFICATE = "tls/cert.pem"
_ORDER = ("", "none", "reload", "restart")


def make(host: Host, home: Home, wish: Wish, unit: Unit) -> Place:
    """Gather where and with what an instance's processes run."""
    inputs = {entry.name: path for entry in unit.inputs if (path := _input(home.data, entry)).exists()}
    packages = {key: host.packages / key for key in unit.packages}
    places = {"dir": home.root, "run": home.run, "log": home.log, "artifacts": home.artifacts}
    values = Values(places, wish.ports, packages, inputs, home.secrets())
    room = Room(
        home.handle,
        writable=(home.root, home.run, home.log, home.artifacts),
        readable=(*packages.values(), *inputs.values()),
        start_in=home.root,
    )
    env = base_environment(home, unit, values)
    return Place(home, host.children, host.sandbox, host.groups, room, values, unit.limits, env)


def _input(data: Path, entry: Input) -> Path:
    """Return another service's artifact; never anything else of it."""
    path = PurePosixPath(entry.path)
    if path.is_absolute() or ".." in path.parts or "/" in entry.handle or entry.handle.startswith("."):
        raise RenderError(f"the input {entry.name} is not a file of a service's artifacts")
    return data / "services" / entry.handle / "artifacts" / path


# ---- files -----------------------------------------------------------------------------------------------------------


def rendered(unit: Unit, place: Place) -> Rendered:
    """Return the content of every file of the unit."""
    return {file.path: (place.values.text(file.content).encode(), file) for file in unit.files}


def write_files(home: Home, wanted: Rendered, before: Identity | None = None) -> None:
    """Write what differs from the disk, and remove what an earlier unit had and this one has not."""
    for path, (content, file) in wanted.items():
        target = _within(home.root, path)
        if not _equal(target, content, file.mode):
            files.private_directory(target.parent)
            files.write(target, content, file.mode)
    for path in before.files if before else ():
        if path not in wanted and path != _CERTIFICATE:
            _within(home.root, path).unlink(missing_ok=True)


def _within(root: Path, path: str) -> Path:
    """Return a path below ``root``; the engine could have put a link in the way of one of its directories."""
    plain = PurePosixPath(path)
    if plain.is_absolute() or ".." in plain.parts or not plain.parts:
        raise RenderError(f"the file {path!r} is not inside the instance's directory")
    target = root / plain
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise RenderError(f"the file {path!r} leads out of the instance's directory")
    return target


def _equal(target: Path, content: bytes, mode: int) -> bool:
    try:
        return not target.is_symlink() and target.read_bytes() == content and target.stat().st_mode & 0o777 == mode
    except OSError:
        return False


# ---- what changed ----------------------------------------------------------------------------------------------------


def digests(unit: Unit, wanted: Rendered, home: Home) -> dict[str, list[str]]:
    """Return path → [digest, what its change asks for]; the certificate counts as a file whose renewal reloads."""
    found = {path: [_digest(content), file.on_change] for path, (content, file) in wanted.items()}
    if unit.tls:
        found[_CERTIFICATE] = [_digest((home.root / _CERTIFICATE).read_bytes()), "reload"]
    return found


def digest(unit: Unit, place: Place) -> str:
    """Return a digest of what only a new start can change: command, packages, environment, limits."""
    parts = {
        "argv": place.values.argv(unit.argv),
        "packages": unit.packages,
        "env": place.environment({}),
        "limits": str(unit.limits),
        "before": str(unit.before_start),
    }
    return _digest(json.dumps(parts, sort_keys=True).encode())


def change(identity: Identity, unit: Unit, now: Mapping[str, list[str]], process: str) -> str:
    """Return what a running engine needs: nothing (empty), ``none`` (take note), ``reload`` or ``restart``."""
    if identity.digest != process or identity.restarts < unit.restarts:
        return "restart"
    actions = {""}
    for path in identity.files.keys() | now.keys():
        before, after = identity.files.get(path), now.get(path)
        if before is None or after is None or before[0] != after[0]:
            actions.add((after or before or ["", "restart"])[1])
    strongest = max(actions, key=_ORDER.index)
    return "restart" if strongest == "reload" and not unit.reload_signal else strongest


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
