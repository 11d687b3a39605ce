"""Checks answers against the OpenAPI document: what it promises is what came."""

from typing import Any

from rest_framework.response import Response

from portal.core.api.reference import openapi


def fits(response: Response, schema: str, *, paged: bool = False) -> Any:
    """Return the answer's data after checking it against a component of the document."""
    data = response.json()
    for item in data["items"] if paged else [data]:
        problems = list(differences(item, {"$ref": f"#/components/schemas/{schema}"}, schema))
        assert not problems, problems
    return data


def differences(value: Any, schema: Any, at: str) -> Any:
    """Yield where a value is not what its schema says: types, missing members and members that nobody announced."""
    schema = resolved(schema)
    if "anyOf" in schema:
        if all(list(differences(value, option, at)) for option in schema["anyOf"]):
            yield f"{at}: {value!r} fits none of {schema['anyOf']}"
        return
    if "type" in schema and not is_a(value, schema["type"]):
        yield f"{at}: {value!r} is no {schema['type']}"
        return
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value)
        yield from (f"{at}: {name} is not announced" for name in value if name not in schema["properties"])
        for name, inner in schema["properties"].items():
            if name in value:
                yield from differences(value[name], inner, f"{at}.{name}")
    if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, inner in value.items():
            yield from differences(inner, schema["additionalProperties"], f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            yield from differences(inner, schema["items"], f"{at}[{index}]")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference into the document."""
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def is_a(value: Any, kinds: str | list[str]) -> bool:
    known = {"string": str, "integer": int, "number": int | float, "boolean": bool, "object": dict, "array": list}
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind == "null" and value is None:
            return True
        if kind != "null" and isinstance(value, known[kind]) and (kind == "boolean") == isinstance(value, bool):
            return True
    return False
