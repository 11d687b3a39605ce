"""Ordering a service."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from portal.core import conditions
from portal.core.actors import Actor
from portal.core.conditions import Condition, Status
from portal.core.specs import Spec
from portal.projects import access
from portal.projects.models import Project
from portal.resources import admission, allowing, links, maintenance
from portal.resources.actions import operations, quotes
from portal.resources.actions.checking import Order, OrderRequest, check, name_taken
from portal.resources.models import Child, Operation, Resource
from portal.resources.states import refresh


@transaction.atomic
def order(actor: Actor, *, project: Project, request: OrderRequest, origin: dict[str, Any] | None = None) -> Operation:
    """Order a service. Raises Problem: 422 naming each wrong field, 403 for quota or rights, 409 for a taken name."""
    access.require(actor, project, "service.create", on=project.slug)
    checked = check(actor, request)
    targets = links.resolve(project, checked.spec)
    admission.admit(admission.Request(actor, project, checked.offering, checked.plan, checked.cluster, checked.spec))
    quote = quotes.redeem(actor, project, request, checked)
    resource = _save(actor, project, checked, origin)
    links.save(resource, targets)
    operations.record_change(resource)
    return operations.begin(
        actor,
        resource,
        "create",
        deadline_seconds=checked.offering.create_deadline_seconds,
        expected_seconds=checked.offering.expected_seconds,
        quote=quote,
        changes={
            "offering": [None, resource.offering_slug],
            "plan": [None, resource.plan_slug],
            "version": [None, resource.release],
        },
    )


def _save(actor: Actor, project: Project, checked: Order, origin: dict[str, Any] | None) -> Resource:
    request = checked.request
    resource = Resource(
        project=project,
        region=checked.cluster.region,
        cluster=checked.cluster,
        offering_slug=checked.offering.slug,
        version=checked.line,
        release=checked.release,
        name=request.name,
        description=request.description,
        plan_slug=checked.plan.slug,
        spec=checked.spec.model_dump(mode="json"),
        spec_version=checked.offering.spec_version,
        tags=dict(request.tags),
        origin=origin,
        protected=request.protected,
        ip_allow_list=allowing.checked(checked.offering, request.ip_allow_list),
        created_by=actor.id,
    )
    resource.maintenance = maintenance.of_order(resource.id)
    accepted = Condition("Accepted", Status.TRUE, "Admitted")
    resource.conditions = conditions.merge([], [accepted], generation=1, now=resource.created_at)
    refresh(resource)
    try:
        with transaction.atomic():
            resource.save(force_insert=True)
    except IntegrityError as error:
        if "one_living_service_per_name" in str(error):
            raise name_taken(request.name) from error
        raise
    if origin is None:
        _make_first_children(resource, actor)
    return resource


def _make_first_children(resource: Resource, actor: Actor) -> None:
    """Make the parts that each new service of this offering starts with."""
    Child.objects.bulk_create(
        Child(resource=resource, kind=kind.slug, name=name, spec=_full(kind.spec, spec), created_by=actor.id)
        for kind in resource.offering.children
        for name, spec in kind.initial
    )


def _full(spec: type[Spec], values: Mapping[str, Any]) -> dict[str, Any]:
    return spec.model_validate(dict(values)).model_dump(mode="json")
