"""One fact each about a service or a part."""

from typing_extensions import TypedDict

from portal.core import conditions
from portal.core.api.shapes import Json


class ConditionJson(TypedDict):
    """One fact about a service or part."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_at: str


def conditions_json(stored: list[Json]) -> list[ConditionJson]:
    return [
        {
            "type": condition.type,
            "status": condition.status.value,
            "reason": condition.reason,
            "message": condition.message,
            "last_transition_at": condition.last_transition_at,
        }
        for condition in conditions.load(stored)
    ]
