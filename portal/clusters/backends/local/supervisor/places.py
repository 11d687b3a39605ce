"""From a unit and its wish to what a start needs: places, values, files, and the digests that tell what changed."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

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
    inputs = {entry.name: path for entry in unit.inputs if (path := _input(home.data, entry))}
    packages = {key: host.packages / key for key in unit.packages}
    places = {"dir": home.root, "run": home.run, "log": home.own_log, "artifacts": home.artifacts}
    values = Values(places, wish.ports, packages, inputs, home.secrets())
    room = Room(
        home.handle,
        writable=(home.root, home.run, home.own_log, home.artifacts),
        readable=(*packages.values(), *inputs.values()),
        start_in=home.root,
    )
    env = base_environment(home, values, unit.env)
    return Place(home, host.children, host.sandbox, host.groups, room, values, unit.limits, env)


def _input(data: Path, entry: Input) -> Path | None:
    """Return another service's artifact, if it is there; never anything else of it, nor what a link leads to."""
    try:
        (handle,) = files.plain_parts(entry.handle)
        artifacts = data.joinpath("services", handle, "artifacts").resolve()
        path = artifacts.joinpath(*files.plain_parts(entry.path))
    except (OSError, ValueError) as error:
        raise RenderError(f"the input {entry.name} is not a file of a service's artifacts") from error
    return path if path.exists() and path.resolve() == path else None


# ---- files -----------------------------------------------------------------------------------------------------------


def rendered(unit: Unit, place: Place, home: Home) -> Rendered:
    """Return the content of every file and document of the unit."""
    found = {file.path: (place.values.text(file.content).encode(), file) for file in unit.files}
    for document in unit.documents:
        content = home.document(document.kind, document.revision)
        if content is None:
            raise RenderError(f"revision {document.revision} of {document.kind} is not here yet")
        found[document.path] = (content, File(document.path, "", on_change=document.on_change))
    return found


def write_files(home: Home, wanted: Rendered, before: Identity | None = None) -> None:
    """Write what differs from the disk, remove what an earlier unit had and this one has not. Raises RenderError.

    Not durably: this is done before each start, and nothing but a start follows a failure of the power.
    """
    for path, (content, file) in wanted.items():
        try:
            if not _equal(home.root, path, content, file.mode):
                files.write_below(home.root, path, content, file.mode, durable=False)
        except OSError as error:
            raise RenderError(f"the file {path!r} can't be written: {error.strerror}") from error
    for path in before.files if before else ():
        if path not in wanted and path != _CERTIFICATE:
            files.remove_below(home.root, path)


def _equal(root: Path, path: str, content: bytes, mode: int) -> bool:
    try:
        with files.open_below(root, path) as file:
            return file.read() == content and os.fstat(file.fileno()).st_mode & 0o777 == mode
    except FileNotFoundError:
        return False


# ---- what changed ----------------------------------------------------------------------------------------------------


def digests(unit: Unit, wanted: Rendered, home: Home) -> dict[str, list[str]]:
    """Return path → [digest, what its change asks for]; the certificate counts as a file whose renewal reloads."""
    found = {path: [_digest(content), file.on_change] for path, (content, file) in wanted.items()}
    if unit.tls:
        found[_CERTIFICATE] = [_digest(files.read_below(home.root, _CERTIFICATE) or b""), "reload"]
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
