"""What the API says of offerings: the declaration, with where each can be had and from what price."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from pydantic import ValidationError
from typing_extensions import TypedDict

from portal.clusters.models import Cluster
from portal.clusters.placement import places
from portal.core.api.schema import spec_schema
from portal.core.api.shapes import Json, PriceJson, plain_number, price_json
from portal.core.offerings import ChildKind, No, Offering, Plan, Version, Yes
from portal.core.pricing import Price, pricer
from portal.resources.parts import price_with_parts


class VersionJson(TypedDict):
    """A line that can be ordered. After ``end_of_support`` an order has to acknowledge it."""

    version: str
    releases: list[str]
    default: bool
    end_of_support: str | None
    state: str


class PlanJson(TypedDict):
    """A size; what it gives is per node."""

    plan: str
    name: str
    summary: str
    default: bool
    free: bool
    cpu: float
    memory_mib: int
    disk_gib: int
    nodes: int
    zones: int
    sla_percent: str | None
    backup_retention_days: int
    price: PriceJson | None


class AvailabilityJson(TypedDict):
    """Whether a region has it, and why not."""

    region: str
    name: str
    available: bool
    reason: str


class CapabilityJson(TypedDict):
    """What it can do, or why not and where that is written. ``elsewhere``: by kind of cluster, where it is another."""

    supported: bool
    note: str
    source: str
    elsewhere: dict[str, "AnswerJson"]


class AnswerJson(TypedDict):
    """What it can do on one kind of cluster, or why not and where that is written."""

    supported: bool
    note: str
    source: str


class KindJson(TypedDict):
    """A kind of part that its services have, and what can be done with one."""

    kind: str
    name: str
    verbs: list[str]
    spec_schema: Json


class PriceBookLineJson(TypedDict):
    """A line of the price book: what a meter costs, for an offering, plan and region or, where empty, for all."""

    offering: str
    plan: str
    region: str
    meter: str
    component: str
    unit: str
    amount: str
    currency: str
    valid_from: str


class OfferingJson(TypedDict):
    """A managed service that can be ordered."""

    offering: str
    family: str
    name: str
    summary: str
    description: str
    keywords: list[str]
    compatible_with: str
    licence: str
    licence_notice: str
    docs: str
    versions: list[VersionJson]
    plans: list[PlanJson]
    regions: list[AvailabilityJson]
    spec_schema: Json
    price_from: PriceJson | None
    capabilities: dict[str, CapabilityJson]
    verbs: list[str]
    children: list[KindJson]


def offering_json(offering: Offering, clusters: Sequence[Cluster]) -> OfferingJson:
    """Return an offering; ``clusters`` are those that take orders, with their regions."""
    cheapest = pricer().price_from(offering)
    return {
        "offering": offering.slug,
        "family": offering.family,
        "name": offering.name,
        "summary": str(offering.summary),
        "description": str(offering.description),
        "keywords": list(offering.keywords),
        "compatible_with": offering.compatible_with,
        "licence": offering.licence,
        "licence_notice": str(offering.licence_notice),
        "docs": offering.docs,
        "versions": [_version(version) for version in offering.versions],
        "plans": [plan_json(offering, plan) for plan in offering.plans],
        "regions": regions(offering, clusters),
        "spec_schema": spec_schema(offering.spec),
        "price_from": price_json(cheapest) if cheapest else None,
        "capabilities": {name: _capability(offering, value) for name, value in offering.capabilities.as_dict().items()},
        "verbs": [verb.slug for verb in offering.verbs],
        "children": [_kind(kind) for kind in offering.children],
    }


def plan_json(offering: Offering, plan: Plan) -> PlanJson:
    """Return a plan with its list price for the default settings."""
    price = default_price(offering, plan)
    return {
        "plan": plan.slug,
        "name": str(plan.name),
        "summary": str(plan.summary),
        "default": plan.slug == offering.default_plan.slug,
        "free": plan.free,
        "cpu": plain_number(plan.cpu),
        "memory_mib": plan.memory_mib,
        "disk_gib": plan.disk_gib,
        "nodes": plan.nodes,
        "zones": plan.zones,
        "sla_percent": None if plan.sla_percent is None else str(plan.sla_percent),
        "backup_retention_days": plan.backup_retention_days,
        "price": price_json(price) if price else None,
    }


def price_line_json(line: Mapping[str, Any]) -> PriceBookLineJson:
    """Return a line as the pricer tells it."""
    return {
        "offering": line["offering"],
        "plan": line["plan"],
        "region": line["region"],
        "meter": line["meter"],
        "component": line["component"],
        "unit": line["unit"],
        "amount": line["amount"],
        "currency": line["currency"],
        "valid_from": line["valid_from"],
    }


def default_price(offering: Offering, plan: Plan) -> Price | None:
    """Return what a plan costs with default settings, or None where some have to be chosen first."""
    try:
        spec = offering.spec.model_validate({})
    except ValidationError:
        return None
    return price_with_parts(offering, plan, spec, region="")


def regions(offering: Offering, clusters: Sequence[Cluster]) -> list[AvailabilityJson]:
    """Return each region once; one usable cluster is enough."""
    found: dict[str, AvailabilityJson] = {}
    for place in places(offering, clusters):
        region = place.cluster.region
        if region.slug not in found or place.usable:
            found[region.slug] = {
                "region": region.slug,
                "name": region.name,
                "available": place.usable,
                "reason": str(place.reason),
            }
    return list(found.values())


def _version(version: Version) -> VersionJson:
    ended = version.ended(timezone.now().date())
    return {
        "version": version.line,
        "releases": list(version.releases),
        "default": version.default,
        "end_of_support": version.end_of_support.isoformat() if version.end_of_support else None,
        "state": "end_of_support" if ended else "available",
    }


def _capability(offering: Offering, value: Yes | No) -> CapabilityJson:
    other = [kind for kind in offering.drivers if isinstance(value, Yes) and kind not in value.backends]
    return {**_answer(value), "elsewhere": {kind: _answer(value.on(kind)) for kind in other}}


def _answer(value: Yes | No) -> AnswerJson:
    if isinstance(value, Yes):
        return {"supported": True, "note": str(value.note), "source": ""}
    return {"supported": False, "note": str(value.reason), "source": value.source}


def _kind(kind: ChildKind) -> KindJson:
    return {
        "kind": kind.slug,
        "name": str(kind.plural),
        "verbs": list(kind.verbs),
        "spec_schema": spec_schema(kind.spec),
    }
