"""What services take of the limits that ``projects.quotas`` keeps: columns that actions write, added up in one query.

Whatever lives counts in full, stopped or not: a start then never fails because somebody else was faster. What is in the
bin, or on its way there, counts for nothing; bringing it back asks again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, DecimalField, Q, Sum, Value
from django.db.models.functions import Coalesce
from django.urls import reverse

from portal.core import registry
from portal.core.api.shapes import plain_number
from portal.core.offerings import Offering, Plan
from portal.core.specs import Spec
from portal.projects import quotas
from portal.projects.models import Organization, Project
from portal.projects.quotas import SERVICES
from portal.resources.models import Resource
from portal.resources.parts import with_parts_of_parts

Amounts = dict[str, Decimal]
COLUMNS = ("vcpu", "memory_mib", "storage_gib")
NEAR = Decimal("0.8")  # of a limit, from where on it is shown before an order


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to one limit (None: there is none); ``project`` is empty where it is the organization's."""

    resource: str
    organization: str
    project: str
    limit: int | None
    used: Decimal
    adds: Decimal

    @property
    def name(self) -> str:
        return quotas.resources().get(self.resource, self.resource)

    @property
    def after(self) -> Decimal:
        return self.used + self.adds

    @property
    def page(self) -> str:
        """The address of the page where more can be asked for."""
        if self.project:
            return reverse("project_quotas", args=[self.project])
        return reverse("organization_quotas", args=[self.organization])

    @property
    def exceeds(self) -> bool:
        """Whether the change would go beyond it; one that adds nothing never does."""
        return self.limit is not None and self.adds > 0 and self.after > self.limit

    @property
    def is_near(self) -> bool:
        return self.limit is not None and (self.exceeds or self.after >= self.limit * NEAR)


def measure(resource: Resource) -> None:
    """Write into the row (not saved) what its plan and settings take; called wherever these change."""
    taken = resource.offering.footprint(resource.plan, resource.load_spec())
    resource.vcpu, resource.memory_mib, resource.storage_gib = taken.vcpu, taken.memory_mib, taken.storage_gib


def planned(offering: Offering, plan: Plan, spec: Spec) -> Amounts:
    """Return what a service will take, with all that it brings along."""
    found: Amounts = {}
    _add(found, offering, plan, spec)
    for part in with_parts_of_parts(offering, plan, spec):
        _add(found, part.offering, part.plan, part.spec)
    return found


def taken_by(resource: Resource) -> Amounts:
    """Return what a living service takes now, its parts included, as its rows say."""
    found: Amounts = {}
    for row in _with_parts(resource):
        amounts = {SERVICES: Decimal(1), **{column: Decimal(getattr(row, column)) for column in COLUMNS}}
        offering = registry.offering(row.offering_slug)
        if offering is not None:
            amounts[f"{SERVICES}:{offering.family}"] = Decimal(1)
        for name, amount in amounts.items():
            found[name] = found.get(name, Decimal(0)) + amount
    return found


def effects(
    project: Project, after: Mapping[str, Decimal], before: Mapping[str, Decimal], *, unlimited: bool = False
) -> list[Effect]:
    """Return what it does to each limit that binds here that the project's services take ``after`` for ``before``.

    ``unlimited``: say it of the project's resources without a limit as well.
    """
    limits = quotas.limits_of(project.organization_id, project.pk)
    here = {name: limits.project.get(name) for name in quotas.NAMES if unlimited} | dict(limits.project)
    asked = [(project.slug, name, limit) for name, limit in here.items()]
    asked += [("", name, limit) for name, limit in limits.organization.items()]
    used = _used(project, [(place, name) for place, name, _limit in asked])
    nothing, customer = Decimal(0), project.organization.slug
    return [
        Effect(name, customer, place, limit, used[place, name], after.get(name, nothing) - before.get(name, nothing))
        for place, name, limit in asked
    ]


def as_json(found: Iterable[Effect]) -> dict[str, dict[str, float | None]]:
    """Return effects as a quote keeps them: by resource, those of the organization as ``organization.RESOURCE``."""
    return {
        effect.resource if effect.project else f"organization.{effect.resource}": {
            "used": plain_number(effect.used),
            "limit": effect.limit,
            "adds": plain_number(effect.adds),
        }
        for effect in found
    }


def usage(organization: Organization, project: Project | None, names: Collection[str]) -> Amounts:
    """Return how much of some resources is in use (``settings.USAGE``): in a project, or in the whole organization."""
    living = Resource.objects.living()
    rows = living.filter(project=project) if project else living.filter(project__organization=organization)
    keys = list(names)
    found = rows.aggregate(**{f"n{n}": _sum(name, Q()) for n, name in enumerate(keys)})
    return {name: Decimal(found[f"n{n}"]) for n, name in enumerate(keys)}


def _used(project: Project, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Decimal]:
    """Count (place, resource) in one query; it looks beyond the project only where the organization has a limit."""
    living, here = Resource.objects.living(), Q(project=project)
    is_wide = any(not place for place, _name in asked)
    rows = living.filter(Q(project__organization=project.organization_id) if is_wide else here)
    sums = {f"n{n}": _sum(name, here if place and is_wide else Q()) for n, (place, name) in enumerate(asked)}
    found = rows.aggregate(**sums)
    return {key: Decimal(found[f"n{n}"]) for n, key in enumerate(asked)}


def _sum(name: str, where: Q) -> Count | Coalesce:
    """Return the aggregate of one resource, of columns that the index ``counted`` holds: no row is looked at."""
    if name in COLUMNS:
        return Coalesce(Sum(name, filter=where or None), Value(0), output_field=DecimalField())
    family = name.partition(":")[2]
    if family:
        sold = [slug for slug, offering in registry.offerings().items() if offering.family == family]
        where = where & Q(offering_slug__in=sold)
    return Count("project_id", filter=where) if where else Count("*")


def _add(found: Amounts, offering: Offering, plan: Plan, spec: Spec) -> None:
    size = offering.footprint(plan, spec)
    one = Decimal(1)
    amounts = {SERVICES: one, f"{SERVICES}:{offering.family}": one, "vcpu": size.vcpu}
    amounts |= {"memory_mib": Decimal(size.memory_mib), "storage_gib": Decimal(size.storage_gib)}
    for name, amount in amounts.items():
        found[name] = found.get(name, Decimal(0)) + amount


def _with_parts(resource: Resource) -> Iterator[Resource]:
    yield resource
    if resource.may_have_parts:
        for part in Resource.objects.living().filter(owner=resource):
            yield from _with_parts(part)
