"""Every field of every write, found in the OpenAPI document and the schemas of specs, never listed here."""

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.core.api.reference import openapi
from portal.core.api.schema import spec_schema
from portal.core.specs import Spec
from tests.matrix.routes import API, Rule, body_of
from tests.resources.doubles import TOY, USERS
from tests.resources.offerings import DEVICES

EXCLUDES = {"/time": "backup", "/in_place": "target"}  # fields that can't stand beside another
HERE = "here the bad value goes"
WRITES = ("post", "put", "patch", "delete")
# What an inner object of a body needs beside a field, by where it stands.
BESIDE: dict[str, dict[str, Any]] = {
    "ip_allow_list": {"cidr": "10.0.0.0/8"},
    "put": {"name": "restored"},
    "target": {"name": "restored"},
}
# Specs whose schema the document leaves open, by the last word of the path.
TABLES: dict[str, type[Spec]] = {"<kind>": USERS.spec, "<child>": USERS.spec, "batch": DEVICES.spec}
CHANGE = {"type": "object", "properties": {"plan": {"type": "string"}, "running": {"type": "boolean"}}}


@dataclass(frozen=True)
class Write:
    """One call that changes something: its path in the URL table, verb, rule, and the schema of its body."""

    path: str
    verb: str
    rule: Rule
    schema: Mapping[str, Any]


def writes() -> list[Write]:
    """Return every write of the document with the body that is right for it. A path without one fails the matrix."""
    found = []
    document = openapi()
    for address, methods in document["paths"].items():
        path = re.sub(r"\{(\w+)\}", r"<\1>", address).lstrip("/")
        for verb in (verb for verb in methods if verb in WRITES):
            content = methods[verb].get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            if path in API:  # or the matrix fails: it knows every route
                found.append(Write(path, verb.upper(), API[path].rules[verb.upper()], _resolved(schema, document)))
    return found


def pointers(write: Write) -> list[str]:
    """Return a pointer to each field that a body may have, inner ones too."""
    return list(_walk(write, write.schema, ""))


def with_value(write: Write, names: Mapping[str, str], pointer: str, wire: str) -> bytes:
    """Return the body that is right but for one field."""
    body = copy.deepcopy(body_of(write.rule, names))
    if write.path == "api/v1/quotes" and not pointer.startswith(("/service", "/change")):
        body = {"name": "new", "offering": "toy", "project": names["project"]}
    body.pop(EXCLUDES.get(pointer, ""), None)
    at: Any = body
    parts = pointer.split("/")[1:]
    for place, (part, following) in enumerate(itertools.pairwise(parts)):
        at = _inner(at, part, following, parts[place - 1] if place else "")
    at[parts[-1] if isinstance(at, dict) else int(parts[-1])] = HERE
    return json.dumps(body).replace(json.dumps(HERE), wire).encode()


def _inner(at: Any, part: str, following: str, before: str) -> Any:
    """Step into a body, making what is not there."""
    if isinstance(at, list):
        at[0] = at[0] or dict(BESIDE.get(before, {}))
        return at[0]
    if not isinstance(at.get(part), (list, dict)):
        at[part] = [None] if following.isdigit() else dict(BESIDE.get(part, {}))
    return at[part]


def _walk(write: Write, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        pointer = f"{at}/{name}"
        yield pointer
        if inner.get("type") == "array":
            yield f"{pointer}/0"
            yield from _walk(write, inner["items"], f"{pointer}/0")
        elif name == "change":
            yield from _walk(write, {"properties": {**CHANGE["properties"], "spec": {}}}, pointer)  # type: ignore[dict-item]
        elif name == "spec":
            spec = TABLES.get(write.path.rpartition("/")[2], TOY.spec)
            yield from _walk(write, spec_schema(spec), pointer)
        elif name == "tags":
            yield f"{pointer}/team"
        else:
            yield from _walk(write, inner, pointer)


def _resolved(schema: Any, document: Mapping[str, Any]) -> Any:
    """Return a schema with what it refers to put in its place."""
    if isinstance(schema, list):
        return [_resolved(item, document) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _resolved(document["components"]["schemas"][name], document)
    merged = {key: _resolved(value, document) for key, value in schema.items()}
    for part in merged.pop("allOf", []):
        merged |= part
    return merged
