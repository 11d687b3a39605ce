"""The operators' published schemas, read strictly: a field that a schema does not know is an error, not silence.

They come from the folder that ``ARCHIPEL_CRDS`` names. Rules in CEL are the API server's to check (tests/cluster).
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from portal.core.drivers.kubernetes import Manifest, ObjectKind

FOLDER = os.environ.get("ARCHIPEL_CRDS", "")


def faults(kind: ObjectKind, manifest: Manifest) -> list[str] | None:
    """Say what is wrong with an object, as ``/spec/field: why``; None where no published schema tells."""
    validator = _validator(kind)
    if validator is None:
        return None
    found = validator.iter_errors({name: value for name, value in manifest.items() if name == "spec"})
    return ["/" + "/".join(map(str, error.absolute_path)) + f": {error.message[:300]}" for error in found]


@cache
def _validator(kind: ObjectKind) -> Draft202012Validator | None:
    schema = next(_published(kind), None)
    return Draft202012Validator(_strict({"type": "object", "properties": {"spec": schema}})) if schema else None


def _published(kind: ObjectKind) -> Iterator[dict[str, Any]]:
    if not FOLDER:
        return
    for path in Path(FOLDER).glob(f"*/{kind.group}_{kind.plural}.yaml"):
        for version in yaml.safe_load(path.read_text())["spec"]["versions"]:
            if version["name"] == kind.version:
                yield version["schema"]["openAPIV3Schema"]["properties"]["spec"]


def _strict(schema: Any) -> Any:
    """Close every object of a schema against unknown fields; a number may be a text where Kubernetes takes both."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _inside(name, value) for name, value in schema.items() if name not in ("description", "default")}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        inner.setdefault("additionalProperties", False)
    return inner


def _inside(name: str, value: Any) -> Any:
    if name == "properties":
        return {field: _strict(one) for field, one in value.items()}
    return _strict(value) if name in ("items", "additionalProperties", "anyOf", "oneOf", "allOf") else value
