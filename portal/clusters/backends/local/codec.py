"""Units and their states as JSON, both ways, checked by their own types."""

from typing import Any

from pydantic import TypeAdapter

from portal.core.drivers import Unit, UnitState

_UNIT = TypeAdapter(Unit)
_STATE = TypeAdapter(UnitState)


def unit_to_json(unit: Unit) -> dict[str, Any]:
    return _UNIT.dump_python(unit, mode="json")  # type: ignore[no-any-return]


def unit_from_json(value: dict[str, Any]) -> Unit:
    """Raises ValueError for what is no unit."""
    return _UNIT.validate_python(value, strict=False)


def state_to_json(state: UnitState) -> dict[str, Any]:
    return _STATE.dump_python(state, mode="json")  # type: ignore[no-any-return]


def state_from_json(value: dict[str, Any]) -> UnitState:
    """Raises ValueError for what is no state."""
    return _STATE.validate_python(value, strict=False)
