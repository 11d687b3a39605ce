"""A part of a service as the API shows it."""

from typing_extensions import TypedDict

from portal.core import conditions, specs
from portal.core.api.shapes import Json, Moment, moment
from portal.resources.api.shapes.conditions import ConditionJson, conditions_json
from portal.resources.api.shapes.services import visible
from portal.resources.models import Child


class ChildJson(TypedDict):
    """A part of a service."""

    id: str
    kind: str
    service: str
    name: str
    state: str
    message: str
    conditions: list[ConditionJson]
    spec: Json
    facts: Json
    deleting: bool
    created_at: Moment
    finished_at: Moment | None


class DownloadLinkJson(TypedDict):
    """An address that gives the file to whoever has it, until it expires."""

    url: str
    expires_at: Moment


def child_json(child: Child) -> ChildJson:
    """Return a part of a service; its ``resource`` has to be set."""
    kind = child.resource.offering.child(child.kind)
    ready = conditions.find(child.conditions, "Ready")
    return {
        "id": child.public_id,
        "kind": child.kind,
        "service": child.resource.public_id,
        "name": child.name,
        "state": child.state,
        "message": ready.message if ready else "",
        "conditions": conditions_json(child.conditions),
        "spec": visible(specs.load(kind.spec, child.spec)) if kind else {},
        "facts": child.facts,
        "deleting": child.deletion_requested_at is not None,
        "created_at": moment(child.created_at),
        "finished_at": moment(child.finished_at),
    }
