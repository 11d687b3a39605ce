"""How a service's row begins, ordered or brought along."""

from collections.abc import Mapping
from typing import Any

from portal.core import conditions
from portal.core.actors import Actor
from portal.core.conditions import Condition, Status
from portal.core.specs import Spec
from portal.resources import maintenance, quotas
from portal.resources.engine import batches
from portal.resources.models import Child, Resource
from portal.resources.states import refresh


def insert(resource: Resource) -> None:
    """Write a new row: accepted, due at once, with a maintenance window of its own."""
    resource.maintenance = maintenance.of_order(resource.id)
    quotas.measure(resource)
    accepted = Condition("Accepted", Status.TRUE, "Admitted")
    resource.conditions = conditions.merge([], [accepted], generation=1, now=resource.created_at)
    refresh(resource)
    resource.save(force_insert=True)


def make_first_children(resource: Resource, actor: Actor) -> None:
    """Make the children that each new service of this offering starts with."""
    Child.objects.bulk_create(
        Child(resource=resource, kind=kind.slug, name=name, spec=_full(kind.spec, spec), created_by=actor.id)
        for kind in resource.offering.children
        for name, spec in kind.initial
    )
    for kind in resource.offering.children:
        if kind.is_batch and kind.initial:
            batches.ask(resource, kind)


def _full(spec: type[Spec], values: Mapping[str, Any]) -> dict[str, Any]:
    return spec.model_validate(dict(values)).model_dump(mode="json")
