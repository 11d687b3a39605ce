"""Values that a JSON schema allows, as hypothesis draws them: the settings that a customer might really write."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from portal.core.api.schema import spec_schema
from portal.core.specs import Spec, meta_of, validate

LETTERS = "abcXYZ019 -_.:;'\"$(){}[]<>%\\/#=@äß漢😀"  # what means something to a shell, SQL, a template or a file


def fields_of(
    spec: type[Spec], targets: Mapping[str, list[str]], *, backend: str = "local"
) -> dict[str, SearchStrategy[Any]]:
    """Return what each field that customers see may hold; a ``ref`` names one of ``targets`` by offering.

    What only other kinds of cluster than ``backend`` have is left out.
    """
    schema = spec_schema(spec)
    found = {}
    for name, inner in schema.get("properties", {}).items():
        meta = meta_of(spec.model_fields[name])
        if meta.backends and backend not in meta.backends:
            continue
        if meta.ref:
            found[name] = st.sampled_from([None, *(service for slug in meta.ref for service in targets.get(slug, []))])
        elif meta.choices:
            found[name] = st.sampled_from([value for value, _words in meta.choices])
        else:
            found[name] = of_schema(inner, schema.get("$defs", {})).filter(_is_taken(spec, name))
    return found


def _is_taken(spec: type[Spec], name: str) -> Any:
    """Return whether a spec takes a value in one field; what it says of others, or lacks, does not matter here."""
    return lambda value: not [e for e in validate(spec, {name: value})[1] if e.pointer.startswith(f"/spec/{name}")]


def of_schema(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> SearchStrategy[Any]:
    """Return the values of one schema."""
    if "$ref" in schema:
        return of_schema(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return st.one_of([of_schema(inner, definitions) for inner in schema["anyOf"]])
    return _OF_TYPE[schema["type"]](schema, definitions)


def _text(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> SearchStrategy[str]:
    longest = schema.get("maxLength", 60)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: len(text) <= longest)
    return st.text(LETTERS, min_size=schema.get("minLength", 0), max_size=longest)


def _list(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> SearchStrategy[list[Any]]:
    most = min(schema.get("maxItems", 5), 5)
    return st.lists(of_schema(schema["items"], definitions), min_size=schema.get("minItems", 0), max_size=most)


def _object(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> SearchStrategy[dict[str, Any]]:
    found = {name: of_schema(inner, definitions) for name, inner in schema.get("properties", {}).items()}
    needed = {name: inner for name, inner in found.items() if name in schema.get("required", ())}
    return st.fixed_dictionaries(needed, optional={name: one for name, one in found.items() if name not in needed})


def _bounds(schema: Mapping[str, Any], otherwise: int) -> dict[str, Any]:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -otherwise))
    return {"min_value": least, "max_value": schema.get("maximum", schema.get("exclusiveMaximum", otherwise))}


_OF_TYPE: dict[str, Any] = {
    "null": lambda schema, definitions: st.none(),
    "boolean": lambda schema, definitions: st.booleans(),
    "integer": lambda schema, definitions: st.integers(**_bounds(schema, 1000)),
    "number": lambda schema, definitions: st.floats(**_bounds(schema, 1000), allow_nan=False),
    "string": _text,
    "array": _list,
    "object": _object,
}
