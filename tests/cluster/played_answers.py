"""What a played operator answers: the data files under ``operators/``, and what they come to for one object.

A file has ``parts``, one for each kind: ``needs`` that must be there before anything is ready (a Secret with ``keys``,
or another ``object``), ``makes`` (with ``keep`` they outlive the root), ``lacking`` (the status while a need is
missing), ``finalizer``, and ``moods``: the statuses that follow each other, the last of which stays. A text between
double braces is a Jinja expression over ``object name namespace spec annotations generation now item lacking pem``;
where it is the whole text its value counts; what comes to nothing is left out, and so is an
item of a list whose ``when`` does not hold. ``item['keys']``, not ``item.keys``.
"""

import base64
import datetime
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jinja2 import ChainableUndefined, Environment

FOLDER = Path(__file__).parent / "operators"
Object = dict[str, Any]
_WHOLE = re.compile(r"\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_JINJA = Environment(undefined=ChainableUndefined)  # noqa: S701 - no HTML: these are statuses of a test's own


@dataclass(frozen=True)
class Part:
    """What is answered of one kind."""

    kind: str
    api: str
    plural: str
    moods: Mapping[str, list[Object]]
    needs: list[Object] = field(default_factory=list)
    makes: list[Object] = field(default_factory=list)
    lacking: Object = field(default_factory=dict)
    finalizer: str = ""

    def phases(self, mood: str) -> list[Object]:
        """Return the statuses of a mood; a kind that does not know it is healthy."""
        return self.moods.get(mood, self.moods["healthy"])


def parts() -> tuple[Part, ...]:
    """Read all files."""
    read = [yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))]
    return tuple(Part(**part) for document in read for part in document["parts"])


def words(seen: Object, **more: Any) -> dict[str, Any]:
    """Return what an expression may speak of."""
    meta = seen["metadata"]
    return {
        "object": seen,
        "name": meta["name"],
        "namespace": meta.get("namespace", ""),
        "spec": seen.get("spec") or {},
        "annotations": meta.get("annotations") or {},
        "generation": meta.get("generation", 0),
        "now": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "random": lambda: secrets.token_hex(16),
        "pem": pem(),
        **more,
    }


def filled(template: Any, said: Mapping[str, Any]) -> Any:
    """Return a template with its expressions worked out."""
    if isinstance(template, Mapping):
        pairs = {key: filled(value, said) for key, value in template.items()}
        return {key: value for key, value in pairs.items() if value is not None}
    if isinstance(template, list):
        wanted = [
            value for value in template if not isinstance(value, Mapping) or filled(value.get("when", True), said)
        ]
        return [filled(_without_when(value), said) for value in wanted]
    if not isinstance(template, str) or "{{" not in template:
        return template
    whole = _WHOLE.fullmatch(template)
    return _expression(whole[1])(**said) if whole else _JINJA.from_string(template).render(**said)


def _without_when(value: Any) -> Any:
    return {key: inner for key, inner in value.items() if key != "when"} if isinstance(value, Mapping) else value


@cache
def _expression(text: str) -> Any:
    return _JINJA.compile_expression(text.strip())


def each(entry: Object, said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the words of each item that an entry is about; none where its ``when`` does not hold."""
    items = filled(entry.get("each", [None]), said)
    for item in items or ():
        inner = {**said, "item": item}
        if filled(entry.get("when", True), inner):
            yield inner


def status(template: Object, said: Mapping[str, Any], before: Mapping[str, Any]) -> Object:
    """Return a whole status; a condition that says the same as before keeps its time."""
    found: Object = filled(template, said)
    old = {one["type"]: one for one in before.get("conditions") or ()}
    for one in found.get("conditions", ()):
        one["status"] = str(one["status"])
        same = old.get(one["type"], {})
        if same.get("status") == one["status"] and "lastTransitionTime" in same:
            one["lastTransitionTime"] = same["lastTransitionTime"]
    return found


def missing_keys(secret: Object | None, name: str, keys: list[str]) -> str:
    """Say what a Secret lacks, as an operator would; empty where it has all."""
    if secret is None:
        return f'secret "{name}" not found'
    data = secret.get("data") or {}
    lacking = [key for key in keys if not data.get(key)]
    return f'secret "{name}" has no key {", ".join(lacking)}' if lacking else ""


def value_of(secret: Object, key: str) -> str:
    return base64.b64decode((secret.get("data") or {}).get(key, "")).decode()


@cache
def pem() -> str:
    """Return a certificate that is one, signed by itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "played operator")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
