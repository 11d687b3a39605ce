"""What was seen of a service, as lines of its details."""

from portal.resources.models import Resource
from portal.resources.presenters.children import Cell, cell_of
from portal.resources.presenters.notices import spaced

MOST = 8
SHOWN_ELSEWHERE = frozenset({"endpoints", "release", "version"})


def facts_of(resource: Resource) -> list[Cell]:
    """Return the plain facts, named after their keys; lists and objects are not for reading."""
    plain = {
        name: value
        for name, value in resource.facts.items()
        if name not in SHOWN_ELSEWHERE and isinstance(value, str | int | float | bool)
    }
    return [cell_of(name, _title(name), value) for name, value in list(plain.items())[:MOST]]


def _title(name: str) -> str:
    for suffix in ("_bytes", "_seconds", "_at"):
        name = name.removesuffix(suffix)
    return spaced(name.replace("_", " ").title().replace(" ", ""))
