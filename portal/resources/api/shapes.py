"""What the API says of services, their parts and operations: one typed function per object, nothing secret in any."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from portal.clusters.backends.base import LogLine, Series
from portal.core import conditions, ids, specs
from portal.core.api.shapes import Json, Moment, PriceJson, moment, price_json, public_id
from portal.core.pricing import pricer
from portal.resources import queries
from portal.resources.actions.cancelling import is_cancellable
from portal.resources.actions.lifecycle import newer_releases
from portal.resources.models import Child, Event, Operation, Quote, Resource


class ConditionJson(TypedDict):
    """One fact about a service or part."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_at: str


class EndpointJson(TypedDict):
    """A way in."""

    component: str
    usage: str
    route: str
    host: str
    port: int
    tls: bool


class OperationRef(TypedDict):
    """The operation that is under way."""

    id: str
    type: str
    state: str


class BackupJson(TypedDict):
    """How far back a service can go. ``pitr`` is null where there are only whole backups."""

    retention_days: int
    pitr: Json | None


class ServiceJson(TypedDict):
    """A service (PRODUCT 4.2)."""

    id: str
    urn: str
    name: str
    description: str
    offering: str
    version: str
    release: str
    upgrades: list[str]
    project: str
    project_slug: str
    region: str
    plan: str
    state: str
    health: str
    conditions: list[ConditionJson]
    node_count: int
    node_cpu: str
    node_memory_mib: int
    disk_gib: int
    spec: Json
    tags: dict[str, str]
    endpoints: list[EndpointJson]
    backup: BackupJson
    protected: bool
    price: PriceJson
    current_operation: OperationRef | None
    deletion_policy: str | None
    purge_after: Moment | None
    created_at: Moment
    updated_at: Moment
    etag: str


class ChildRef(TypedDict):
    """The part that an operation is about; ``id`` is null once it is gone."""

    id: str | None
    kind: str
    name: str


class StepJson(TypedDict):
    """One step of an operation. ``state``: waiting, running, done or failed."""

    name: str
    state: str
    message: str
    started_at: Moment | None
    finished_at: Moment | None


class ProgressJson(TypedDict):
    """How far an operation is; ``step`` counts from 1."""

    percent: int
    step_name: str
    step: int
    steps: int
    message: str


class OperationJson(TypedDict):
    """Something that was started and can be followed (PRODUCT 4.6)."""

    id: str
    type: str
    service: str
    service_name: str
    project: str
    child: ChildRef | None
    state: str
    progress: ProgressJson
    steps: list[StepJson]
    expected_seconds: int
    timeout_seconds: int
    cancellable: bool
    requested_by: str | None
    quote: Json | None
    created_at: Moment
    finished_at: Moment | None
    error: Json | None


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


class EventJson(TypedDict):
    """A line of a service's activity."""

    id: str
    at: Moment
    severity: str
    reason: str
    message: str
    operation: str | None
    actor: str | None


class LogLineJson(TypedDict):
    """A line of a service's log, as text without control sequences."""

    at: Moment | None
    source: str
    text: str


class SeriesJson(TypedDict):
    """One metric over time: pairs of unix seconds and value, oldest first."""

    name: str
    unit: str
    points: list[tuple[float, float]]


class QuoteJson(TypedDict):
    """What an order or a change would cost and do; an order may cite its ``id`` until ``expires_at``."""

    id: str
    service: str | None
    before: PriceJson | None
    after: PriceJson
    delta: Json
    quota: Json
    downtime_seconds: int
    expected_seconds: int
    expires_at: Moment


def service_json(resource: Resource) -> ServiceJson:
    """Return a service; ``project`` and ``region`` have to be fetched along."""
    offering, plan, spec = resource.offering, resource.plan, resource.load_spec()
    price = pricer().price(offering, plan, spec, region=resource.region.slug, running=resource.running)
    return {
        "id": resource.public_id,
        "urn": urn(resource),
        "name": resource.name,
        "description": resource.description,
        "offering": resource.offering_slug,
        "version": resource.version,
        "release": resource.release,
        "upgrades": newer_releases(resource),
        "project": resource.project.public_id,
        "project_slug": resource.project.slug,
        "region": resource.region.slug,
        "plan": resource.plan_slug,
        "state": resource.state,
        "health": resource.health,
        "conditions": conditions_json(resource.conditions),
        "node_count": plan.nodes,
        "node_cpu": f"{plan.cpu.normalize():f}",
        "node_memory_mib": plan.memory_mib,
        "disk_gib": getattr(spec, "disk_gib", None) or plan.disk_gib,
        "spec": visible(spec),
        "tags": resource.tags,
        "endpoints": resource.facts.get("endpoints", []),
        "backup": {"retention_days": plan.backup_retention_days, "pitr": None},
        "protected": resource.protected,
        "price": price_json(price),
        "current_operation": operation_ref(queries.current_operation(resource)),
        "deletion_policy": resource.deletion_policy or None,
        "purge_after": moment(resource.purge_after),
        "created_at": moment(resource.created_at),
        "updated_at": moment(resource.updated_at),
        "etag": resource.etag,
    }


def urn(resource: Resource) -> str:
    """Return the name of a service for bills, audit and access rules."""
    where = f"{resource.region.slug}:{resource.project.public_id}"
    return f"urn:archipel:{where}:service/{resource.offering_slug}/{resource.public_id}"


def visible(spec: specs.Spec) -> Json:
    """Return a spec as JSON, without what only the platform sets."""
    return spec.model_dump(mode="json", include=set(specs.visible_fields(type(spec))))


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


def operation_ref(operation: Operation | None) -> OperationRef | None:
    if operation is None:
        return None
    return {"id": operation.public_id, "type": operation.type, "state": operation.state}


def operation_json(operation: Operation) -> OperationJson:
    """Return an operation; its service with project and its child have to be fetched along."""
    resource = operation.resource
    timeout = operation.deadline_at - operation.created_at
    return {
        "id": operation.public_id,
        "type": operation.type,
        "service": resource.public_id,
        "service_name": resource.name,
        "project": resource.project.public_id,
        "child": _child_ref(operation),
        "state": operation.state,
        "progress": _progress(operation),
        "steps": [_step(step) for step in operation.steps],
        "expected_seconds": operation.expected_seconds,
        "timeout_seconds": round(timeout.total_seconds()),
        "cancellable": is_cancellable(operation),
        "requested_by": public_id("user", operation.requested_by),
        "quote": operation.quote,
        "created_at": moment(operation.created_at),
        "finished_at": moment(operation.finished_at),
        "error": operation.error,
    }


def _child_ref(operation: Operation) -> ChildRef | None:
    if not operation.child_name:
        return None
    child = operation.child
    if child is None:
        return {"id": None, "kind": operation.lane.partition(":")[0], "name": operation.child_name}
    kind = operation.resource.offering.child(child.kind)
    return {"id": ids.encode(kind.prefix if kind else "child", child.id), "kind": child.kind, "name": child.name}


def _step(step: Mapping[str, Any]) -> StepJson:
    return {
        "name": step["name"],
        "state": step["state"],
        "message": step["message"],
        "started_at": step["started_at"],
        "finished_at": step["finished_at"],
    }


def _progress(operation: Operation) -> ProgressJson:
    """Sum the steps up; a step counts when it is done, and only an end in success is a hundred percent."""
    steps = operation.steps
    done = sum(1 for step in steps if step["state"] == "done")
    current = next((step for step in steps if step["state"] != "done"), steps[-1] if steps else None)
    succeeded = operation.state == Operation.State.SUCCEEDED
    return {
        "percent": 100 if succeeded else min(95, 100 * done // max(1, len(steps))) if steps else 0,
        "step_name": current["name"] if current else operation.state,
        "step": min(done + 1, len(steps)),
        "steps": len(steps),
        "message": operation.message,
    }


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
        "spec": visible(kind.spec.model_validate(child.spec)) if kind else {},
        "facts": child.facts,
        "deleting": child.deletion_requested_at is not None,
        "created_at": moment(child.created_at),
        "finished_at": moment(child.finished_at),
    }


def event_json(event: Event) -> EventJson:
    return {
        "id": ids.encode("evt", event.id),
        "at": moment(event.at),
        "severity": event.severity,
        "reason": event.reason,
        "message": event.message,
        "operation": public_id("op", event.operation_id),
        "actor": public_id("user", event.actor_id),
    }


def line_json(line: LogLine) -> LogLineJson:
    return {"at": moment(line.at), "source": line.source, "text": line.text}


def series_json(series: Series) -> SeriesJson:
    return {"name": series.name, "unit": series.unit, "points": list(series.points)}


def quote_json(quote: Quote) -> QuoteJson:
    return {
        "id": quote.public_id,
        "service": public_id("svc", quote.resource_id),
        "before": quote.body["before"],
        "after": quote.body["after"],
        "delta": quote.body["delta"],
        "quota": quote.body["quota"],
        "downtime_seconds": quote.body["downtime_seconds"],
        "expected_seconds": quote.body["expected_seconds"],
        "expires_at": moment(quote.expires_at),
    }
