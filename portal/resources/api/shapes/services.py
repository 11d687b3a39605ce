"""A service as the API shows it (PRODUCT 4.2)."""

from django.utils import timezone
from typing_extensions import TypedDict

from portal.clusters.placement import keeps_backups
from portal.core import ids, specs
from portal.core.api.shapes import Json, Moment, PriceJson, moment, plain_number, price_json
from portal.resources import queries
from portal.resources.actions.lifecycle import newer_releases
from portal.resources.actions.maintaining import pending_update
from portal.resources.api.shapes.conditions import ConditionJson, conditions_json
from portal.resources.models import Operation, Resource
from portal.resources.parts import price_with_parts


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


class NetworkJson(TypedDict):
    """A network that may reach the service."""

    cidr: str
    description: str


class PendingUpdateJson(TypedDict):
    """An update that waits for the window. The ``upgrade`` verb does it earlier."""

    description: str
    start_after: Moment
    start_at: Moment
    deadline: Moment | None


class MaintenanceJson(TypedDict):
    """The window of two hours, each week, in which the platform may upgrade the service, and what it will do then."""

    day: str
    start_utc: str
    pending_updates: list[PendingUpdateJson]


class BackupJson(TypedDict):
    """How far back a service can go: 0 days where its region keeps no backups.

    ``pitr`` is null where there are only whole backups.
    """

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
    node_cpu: float
    node_memory_mib: int
    disk_gib: int
    spec: Json
    tags: dict[str, str]
    endpoints: list[EndpointJson]
    backup: BackupJson
    ip_allow_list: list[NetworkJson]
    maintenance: MaintenanceJson
    protected: bool
    price: PriceJson
    part_of: str | None
    current_operation: OperationRef | None
    deletion_policy: str | None
    purge_after: Moment | None
    created_at: Moment
    updated_at: Moment
    etag: str


def service_json(resource: Resource) -> ServiceJson:
    """Return a service; ``project``, ``region`` and ``cluster`` have to be fetched along."""
    offering, plan, spec = resource.offering, resource.plan, resource.load_spec()
    kept_days = plan.backup_retention_days if keeps_backups(offering, resource.cluster) else 0
    price = price_with_parts(offering, plan, spec, region=resource.region.slug, running=resource.running)
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
        "node_cpu": plain_number(plan.cpu),
        "node_memory_mib": plan.memory_mib,
        "disk_gib": getattr(spec, "disk_gib", None) or plan.disk_gib,
        "spec": visible(spec),
        "tags": resource.tags,
        "endpoints": resource.facts.get("endpoints", []),
        "backup": {"retention_days": kept_days, "pitr": None},
        "ip_allow_list": resource.ip_allow_list,
        "maintenance": maintenance_json(resource),
        "protected": resource.protected,
        "price": price_json(price),
        "part_of": ids.encode("svc", resource.owner_id) if resource.owner_id else None,
        "current_operation": operation_ref(queries.current_operation(resource)),
        "deletion_policy": resource.deletion_policy or None,
        "purge_after": moment(resource.purge_after),
        "created_at": moment(resource.created_at),
        "updated_at": moment(resource.updated_at),
        "etag": resource.etag,
    }


def maintenance_json(resource: Resource) -> MaintenanceJson:
    """Return the window and what waits for it."""
    update = pending_update(resource, timezone.now())
    pending: list[PendingUpdateJson] = []
    if update is not None:
        start = moment(update.start_at)
        pending.append({"description": update.description, "start_after": start, "start_at": start, "deadline": None})
    window = resource.maintenance
    return {"day": window["day"], "start_utc": window["start_utc"], "pending_updates": pending}


def urn(resource: Resource) -> str:
    """Return the name of a service for bills, audit and access rules."""
    where = f"{resource.region.slug}:{resource.project.public_id}"
    return f"urn:archipel:{where}:service/{resource.offering_slug}/{resource.public_id}"


def operation_ref(operation: Operation | None) -> OperationRef | None:
    if operation is None:
        return None
    return {"id": operation.public_id, "type": operation.type, "state": operation.state}


def visible(spec: specs.Spec) -> Json:
    """Return a spec as JSON, without what only the platform sets."""
    shown = specs.visible_fields(type(spec))
    found: Json = {**spec.model_dump(mode="json"), **spec.unsound}
    return {name: found[name] for name in shown}
