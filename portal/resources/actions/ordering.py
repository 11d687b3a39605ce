"""Ordering a service."""

from typing import Any

from django.db import IntegrityError, transaction

from portal.core.actors import Actor
from portal.projects import access
from portal.projects.models import Project
from portal.resources import admission, allowing, links
from portal.resources.actions import beginnings, operations, parts, quotes
from portal.resources.actions.checking import Order, OrderRequest, check, name_taken
from portal.resources.models import Operation, Resource


@transaction.atomic
def order(actor: Actor, *, project: Project, request: OrderRequest, origin: dict[str, Any] | None = None) -> Operation:
    """Order a service. Raises Problem: 422 naming each wrong field, 403 for quota or rights, 409 for a taken name."""
    access.require(actor, project, "service.create", on=project.slug)
    checked = check(actor, request)
    parts.refuse_unservable(checked.cluster, checked.offering, checked.plan, checked.spec)
    targets = links.resolve(project, checked.spec)
    admission.admit(admission.Request(actor, project, checked.offering, checked.plan, checked.cluster, checked.spec))
    quote = quotes.redeem(actor, project, request, checked)
    resource = _save(actor, project, checked, origin)
    parts.save(actor, resource, targets)
    operations.record_change(resource)
    return operations.begin(
        actor,
        resource,
        "create",
        deadline_seconds=checked.offering.pace(checked.cluster.kind).deadline_seconds,
        expected_seconds=checked.offering.pace(checked.cluster.kind).expected_seconds,
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
    try:
        with transaction.atomic():
            beginnings.insert(resource)
    except IntegrityError as error:
        if "one_living_service_per_name" in str(error):
            raise name_taken(request.name) from error
        raise
    if origin is None:
        beginnings.make_first_children(resource, actor)
    return resource
