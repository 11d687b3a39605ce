"""From a unit and its wish to what a start needs: places, values, files, and the digests that tell what changed."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Container
from pathlib import Path

from portal.clusters.backends.local import files, proc
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.render import RenderError, Values
from portal.clusters.backends.local.sandbox import Room
from portal.clusters.backends.local.supervisor.commands import Place, base_environment
from portal.clusters.backends.local.supervisor.engine import Identity
from portal.clusters.backends.local.supervisor.host import Host
from portal.core.drivers import Companion, File, Input, Unit

Rendered = dict[str, tuple[bytes, File]]
Digests = dict[str, list[str]]  # path → [digest, on_change]
_TLS = "tls/"
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


def beside(place: Place, companion: Companion, *, one_shot: bool = False) -> Place:
    """Return where a companion runs, or what is done for it: as the main process does, with a mark of its own."""
    mark = f"{companion.name}/" if one_shot else companion.name
    return dataclasses.replace(place, env={**place.environment(companion.env), proc.COMPANION: mark})


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


def write_files(home: Home, wanted: Rendered) -> None:
    """Write what differs from the disk. Raises RenderError.

    Not durably: this is done before each start, and nothing but a start follows a failure of the power.
    """
    for path, (content, file) in wanted.items():
        try:
            if not _equal(home.root, path, content, file.mode):
                files.write_below(home.root, path, content, file.mode, durable=False)
        except OSError as error:
            raise RenderError(f"the file {path!r} can't be written: {error.strerror}") from error


def remove_files(home: Home, before: Identity | None, known: Container[str]) -> None:
    """Remove what a process was started with and no process of the unit has any more."""
    for path in before.files if before else ():
        if path not in known and path != _CERTIFICATE:
            files.remove_below(home.root, path)


def _equal(root: Path, path: str, content: bytes, mode: int) -> bool:
    try:
        with files.open_below(root, path) as file:
            return file.read() == content and os.fstat(file.fileno()).st_mode & 0o777 == mode
    except FileNotFoundError:
        return False


def mains(unit: Unit, wanted: Rendered) -> Rendered:
    """Return those files that are about the main process."""
    others = {path for one in unit.companions for path in one.files}
    return {path: content for path, content in wanted.items() if path not in others} if others else wanted


def companions(companion: Companion, wanted: Rendered) -> Rendered:
    """Return those files that are about a companion. Raises RenderError for one that is not there."""
    paths = [path for path in (*companion.files, *companion.shared) if not path.startswith(_TLS)]
    if strange := [path for path in paths if path not in wanted]:
        raise RenderError(f"the companion {companion.name} names {strange[0]!r}, which is no file of the unit")
    return {path: wanted[path] for path in paths}


def mains_tls(unit: Unit) -> bool:
    """Say whether a renewed certificate is about the main process."""
    return unit.tls and not any(_names_tls(one.files) for one in unit.companions)


def companions_tls(unit: Unit, companion: Companion) -> bool:
    """Say whether a renewed certificate is about a companion."""
    return unit.tls and _names_tls((*companion.files, *companion.shared))


def _names_tls(paths: tuple[str, ...]) -> bool:
    return any(path.startswith(_TLS) for path in paths)


# ---- what changed ----------------------------------------------------------------------------------------------------


def digests(wanted: Rendered, home: Home, *, tls: bool) -> Digests:
    """Return path → [digest, what its change asks for]; the certificate counts as a file whose renewal reloads."""
    found = {path: [_digest(content), file.on_change] for path, (content, file) in wanted.items()}
    if tls:
        found[_CERTIFICATE] = [_digest(files.read_below(home.root, _CERTIFICATE) or b""), "reload"]
    return found


def digest(unit: Unit, place: Place, companion: Companion | None = None) -> str:
    """Return a digest of what only a new start can change: command, packages, environment, limits."""
    parts = {
        "argv": place.values.argv(companion.argv if companion else unit.argv),
        "packages": unit.packages,
        "env": place.environment(companion.env if companion else {}),
        "limits": str(unit.limits),
        "before": "" if companion else str(unit.before_start),
    }
    return _digest(json.dumps(parts, sort_keys=True).encode())


def change(identity: Identity, process: Unit | Companion, restarts: int, now: Digests, digest: str) -> str:
    """Return what a running process needs: nothing (empty), ``none`` (take note), ``reload`` or ``restart``."""
    if identity.digest != digest or identity.restarts < restarts:
        return "restart"
    actions = {""}
    for path in identity.files.keys() | now.keys():
        before, after = identity.files.get(path), now.get(path)
        if before is None or after is None or before[0] != after[0]:
            actions.add((after or before or ["", "restart"])[1])
    strongest = max(actions, key=_ORDER.index)
    return "restart" if strongest == "reload" and not process.reload_signal else strongest


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
