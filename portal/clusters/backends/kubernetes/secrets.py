"""Generated secrets as Secrets of the cluster: made once, anew only when their rotation rises, read only when shown."""

import base64
import binascii
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from typing import Any

from portal.clusters.backends.kubernetes.client import Conflict
from portal.clusters.backends.kubernetes.entries import digest_of, is_going, is_ours
from portal.clusters.backends.kubernetes.place import Workplace
from portal.clusters.backends.kubernetes.refusals import explained
from portal.clusters.models import Inventory
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import DOMAIN, SECRET, ClusterSecret, Manifest, secret_name
from portal.core.errors import PermanentError, TemporaryError

ROTATION = f"{DOMAIN}/rotation"  # annotation: which rotation the values are of
_ALPHABET = string.ascii_letters + string.digits
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?")
_WHAT = "a login's secret"


def ensure(place: Workplace, wanted: Iterable[GeneratedSecret]) -> None:
    """Make the Secrets that are missing, and anew those whose rotation has risen. A settled service asks nothing."""
    asked = list(wanted)
    if not asked:
        return
    missing = [one for one in asked if place.row.secrets.get(one.name) != _mark(place, one) or not _is_seen(place, one)]
    if unknown := {one.name: None for one in missing if one.name not in place.row.secrets}:
        remember(place.row, {**place.row.secrets, **unknown})
    for secret in missing:
        place.answered(SECRET, _have(place, secret))
        place.row.secrets[secret.name] = _mark(place, secret)  # written with the objects' answers


def remember(row: Inventory, made: Mapping[str, Any]) -> None:
    """Write down which secrets were made, or are going to be (None). Lost, this costs a request each, and no value."""
    row.secrets = dict(made)
    Inventory.objects.filter(pk=row.pk).update(secrets=row.secrets)


def _mark(place: Workplace, secret: GeneratedSecret) -> list[Any]:
    """Return what is remembered of a secret that was made: its rotation, and a digest of all that is not secret."""
    return [secret.rotation, digest_of([place.labels, *_outline(secret)])[:16]]


def _outline(secret: GeneratedSecret) -> list[Any]:
    if not isinstance(secret, ClusterSecret):
        return [secret.keys]
    return [secret.keys, secret.type, dict(secret.plain), dict(secret.labels)]


def _is_seen(place: Workplace, secret: GeneratedSecret) -> bool:
    return (SECRET.api_version, SECRET.kind, _object_name(place, secret)) in place.living


def _object_name(place: Workplace, secret: GeneratedSecret) -> str:
    return secret_name(place.handle, secret.name)


def _have(place: Workplace, secret: GeneratedSecret) -> Manifest:
    """Make one, or bring the one that is there up to date; return it."""
    with explained(place, _WHAT, secret=True):
        try:
            return place.client.create(SECRET, _manifest(place, secret, {}))
        except Conflict:
            return _brought_up(place, secret)


def _brought_up(place: Workplace, secret: GeneratedSecret) -> Manifest:
    """Return the Secret that is there, with new values where its rotation is older: its other values stay."""
    there = place.client.get(SECRET, place.row.namespace, _object_name(place, secret))
    if there is None or is_going(there):
        raise TemporaryError("A login's secret is being taken away; it is made anew in a moment.")
    if not is_ours(there, place.handle):
        raise PermanentError(
            "There is a secret of this login's name that is not the portal's: an operator has to look."
        )
    stands = _rotation(there) >= secret.rotation
    wanted = _manifest(place, secret, (there.get("data") or {}) if stands else {})
    if stands and all(there.get(part) == wanted[part] for part in ("data", "type")) and _has_labels(there, wanted):
        return there
    wanted["metadata"] |= {key: there["metadata"][key] for key in ("resourceVersion", "uid")}
    return place.client.replace(SECRET, wanted)


def _has_labels(there: Manifest, wanted: Manifest) -> bool:
    return bool(wanted["metadata"]["labels"].items() <= (there["metadata"].get("labels") or {}).items())


def _rotation(there: Manifest) -> int:
    text = (there["metadata"].get("annotations") or {}).get(ROTATION, "")
    return int(text) if text.isdecimal() else 0


def _manifest(place: Workplace, secret: GeneratedSecret, known: Mapping[str, str]) -> Manifest:
    """Return the Secret; ``known`` are values that it has already, base64."""
    plain = secret.plain if isinstance(secret, ClusterSecret) else {}
    labels = secret.labels if isinstance(secret, ClusterSecret) else {}
    data = {key: known.get(key) or _encoded(_generated(secret.length)) for key in secret.keys}
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "type": secret.type if isinstance(secret, ClusterSecret) else "Opaque",
        "metadata": {
            "name": _object_name(place, secret),
            "namespace": place.row.namespace,
            "labels": {**labels, **place.labels},
            "annotations": {ROTATION: str(secret.rotation)},
        },
        "data": data | {key: _encoded(value) for key, value in plain.items()},
    }


def _generated(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def reveal(place: Workplace, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the values of a service's Secrets by name and key, those that an operator made included."""
    found = {}
    for name in names:
        if not _NAME.fullmatch(name):
            continue
        with explained(place, _WHAT):
            there = place.client.get(SECRET, place.row.namespace, secret_name(place.handle, name))
        if there is not None:
            found[name] = {key: value for key, text in (there.get("data") or {}).items() if (value := _decoded(text))}
    return found


def _decoded(text: str) -> str:
    """Return a value as text; empty for one that is none."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
