"""What a service brings along (``core.offerings.Part``), looked up: for limits, prices and the rows themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from portal.core import registry
from portal.core.offerings import Offering, Part, Plan
from portal.core.pricing import Price, pricer
from portal.core.specs import Spec


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """One part with everything looked up; ``role`` of a part's own part is ``store/cache``."""

    role: str
    offering: Offering
    line: str
    release: str
    plan: Plan
    spec: Spec


def planned(offering: Offering, plan: Plan, spec: Spec) -> tuple[PlannedPart, ...]:
    """Return the parts that a service brings along itself. A declaration that names what is not there is a bug."""
    return tuple(_looked_up(part) for part in (offering.parts(plan, spec) if offering.parts else ()))


def _looked_up(part: Part) -> PlannedPart:
    offering = registry.offering(part.offering)
    if offering is None:
        raise LookupError(f"part {part.role}: no offering {part.offering!r} in this installation")
    version, plan = offering.version(part.version or offering.default_version.line), offering.plan(part.plan)
    if version is None or plan is None:
        raise LookupError(f"part {part.role}: {part.offering} has no version {part.version!r} or plan {part.plan!r}")
    spec = offering.spec.model_validate(dict(part.spec))
    return PlannedPart(part.role, offering, version[0].line, version[1], plan, spec)


def with_parts_of_parts(offering: Offering, plan: Plan, spec: Spec) -> Iterator[PlannedPart]:
    """Return all that comes along, however deep."""
    for part in planned(offering, plan, spec):
        yield part
        for inner in with_parts_of_parts(part.offering, part.plan, part.spec):
            yield replace(inner, role=f"{part.role}/{inner.role}")


def price_with_parts(offering: Offering, plan: Plan, spec: Spec, *, region: str, running: bool = True) -> Price:
    """Return what a service costs with all that it brings along; a part's lines begin with its role."""
    price = pricer().price(offering, plan, spec, region=region, running=running)
    for part in with_parts_of_parts(offering, plan, spec):
        more = pricer().price(part.offering, part.plan, part.spec, region=region, running=running)
        lines = tuple(replace(line, name=f"{part.role}: {line.name}") for line in more.lines)
        price = replace(price, lines=price.lines + lines)
    return price
