"""Engine packages on this host: which are here, which version with which digest, and which are broken.

Packages belong to the host that the supervisor runs on; where the web process runs elsewhere, none is here.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from portal.audit import actions as audit
from portal.clusters.backends.local.packages import CATALOGUE, Package, package, unavailable_reason
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, not_found, permission_denied
from portal.projects import access


@dataclass(frozen=True, slots=True)
class Held:
    """One package of the catalogue. ``unavailable`` says why it can't be fetched here, ``broken`` why it is no good."""

    entry: Package
    manifest: dict[str, Any] | None
    unavailable: str
    broken: str

    @property
    def version(self) -> str:
        """Return what was fetched: of a Debian package the suite's own version."""
        return str((self.manifest or {}).get("version") or self.entry.version)

    @property
    def digest(self) -> str:
        return str((self.manifest or {}).get("digest") or self.entry.digest)


def held_packages(prefix: Path | None = None) -> list[Held]:
    """Return the whole catalogue with what is here of it, by title."""
    home = prefix or Path(settings.ARCHIPEL_PACKAGES)
    return [_held(entry, home) for entry in sorted(CATALOGUE.values(), key=lambda entry: entry.title)]


def refetch(actor: Actor, *, key: str, reason: str, prefix: Path | None = None) -> None:
    """Have a broken package fetched anew when an engine next needs it. One that is whole stays: engines run from it.

    Raises Problem: ``permission_denied``, ``not_found``, ``invalid_arguments``, ``package_is_whole``, ``not_here``.
    """
    home = prefix or Path(settings.ARCHIPEL_PACKAGES)
    _require_operator(actor, key, reason)
    try:
        held = _held(package(key), home)
    except KeyError as error:
        raise not_found() from error
    if held.manifest is None:
        raise conflict("not_here", _("It is not on this host; it is fetched when an engine needs it."))
    if not held.broken:
        raise conflict("package_is_whole", _("Nothing is wrong with this package, and engines may run from it."))
    try:
        _forget(home / key)
    except OSError as error:
        raise conflict("not_possible", _("It can't be taken away here: %(why)s") % {"why": error.strerror}) from error
    _record(actor, "package.refetch", key, reason)


def _held(entry: Package, home: Path) -> Held:
    manifest = _manifest(home / entry.key)
    unavailable = "" if manifest else unavailable_reason(entry, home)
    return Held(entry, manifest, unavailable, _fault(entry, home / entry.key) if manifest is not None else "")


def _manifest(place: Path) -> dict[str, Any] | None:
    """Return what is written of a package that is here; empty where that can't be read."""
    try:
        found = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _fault(entry: Package, place: Path) -> str:
    """Say what is wrong with a package that is here, as far as a look tells: nothing is started in a request."""
    gone = [name for name in entry.links if not (place / name).exists()]
    if gone:
        return _("missing: %(names)s") % {"names": ", ".join(gone)}
    program = place / entry.smoke[0]
    if not (program.is_file() and os.access(program, os.X_OK)):
        return _("%(name)s is no program") % {"name": entry.smoke[0]}
    return "" if _manifest(place) else _("its manifest can't be read")


def _forget(place: Path) -> None:
    """Take the manifest away, without which a package is fetched anew over what is left."""
    with _lock(place.parent / f".{place.name}.lock"):
        place.chmod(0o755)
        (place / "manifest.json").unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _require_operator(actor: Actor, key: str, reason: str) -> None:
    if "provider.operate" not in access.provider_permissions(actor) or actor.scopes is not None:
        problem = permission_denied("provider.operate", key)
        raise audit.denied(problem, actor=actor, action="package.refetch", target_kind="package", target_name=key)
    if not reason.strip():
        raise invalid(FieldError("/reason", "required", _("Say why; it is read in the audit log.")))


def _record(actor: Actor, action: str, key: str, reason: str) -> None:
    audit.record(actor=actor, action=action, target_kind="package", target_name=key, reason=reason.strip())
