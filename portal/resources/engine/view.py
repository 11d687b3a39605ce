"""Builds what a driver is shown: a service with its children, links and origin, all values."""

import uuid

from django.db.models import prefetch_related_objects

from portal.clusters.backends.base import Tenancy
from portal.core import specs
from portal.core.drivers import ChildView, LinkView, Origin, View
from portal.core.offerings import Offering
from portal.resources.models import Child, Resource


def build(resource: Resource, children: list[Child], *, running: bool) -> View:
    """Return the view of a service; ``running`` may differ from what is asked while it is being deleted.

    Raises PermanentError where stored settings do not validate any more; what is going away goes all the same.
    """
    offering, spec = resource.offering, resource.load_spec()
    going = resource.deletion_requested_at is not None
    if not going:
        specs.require_sound(spec)
    return View(
        handle=resource.handle,
        offering=resource.offering_slug,
        name=resource.name,
        version=resource.version,
        release=resource.release,
        plan=resource.plan,
        spec=spec,
        generation=resource.generation,
        running=running,
        restarts=resource.restarts,
        host=resource.cluster.capabilities.get("host", "localhost"),
        allow_list=tuple(entry["cidr"] for entry in resource.ip_allow_list),
        children=tuple(view for child in children if (view := child_view(offering, child, going=going)) is not None),
        links=_links(resource) if offering.has_links else {},
        origin=_origin(resource),
        facts=resource.facts,
        batches=batches_of(resource),
        namespace=namespace_of(resource),
        settings=resource.cluster.settings,
    )


def namespace_of(resource: Resource) -> str:
    """Return where a service lives on Kubernetes: with the others of its project, or by itself."""
    if resource.offering.isolation == "service":
        return f"svc-{resource.handle}"
    return f"prj-{resource.project_id.hex[-16:]}"


def tenancy(resource: Resource) -> Tenancy:
    """Return whose namespace that is."""
    own = resource.offering.isolation == "service"
    return Tenancy(namespace_of(resource), resource.project.organization_id, resource.project_id, own)


def batches_of(resource: Resource) -> dict[str, int]:
    """Return the revision that is asked for of each batch kind that ever had a child."""
    kinds = {kind.slug for kind in resource.offering.children if kind.is_batch}
    return {slug: revision for slug, revision in resource.batches.items() if slug in kinds}


def child_view(offering: Offering, child: Child, *, going: bool = False) -> ChildView | None:
    """Return a child as the driver sees it; None for one of a kind that the offering no longer has.

    Raises PermanentError where its stored settings do not validate any more, unless it or its service is ``going``.
    """
    kind = offering.child(child.kind)
    if kind is None:
        return None
    spec = specs.load(kind.spec, child.spec)
    if child.deletion_requested_at is None and not going:
        specs.require_sound(spec, of=child.name)
    return ChildView(
        id=child.id,
        kind=child.kind,
        name=child.name,
        spec=spec,
        generation=child.generation,
        observed_generation=child.observed_generation,
        deleting=child.deletion_requested_at is not None,
        cancelled=child.cancel_requested,
        state=child.state,
        facts=child.facts,
    )


def _links(resource: Resource) -> dict[str, LinkView]:
    prefetch_related_objects([resource], "links__target")  # asks nothing where a list has them already
    return {
        link.role: LinkView(
            handle=link.target.handle,
            offering=link.target.offering_slug,
            name=link.target.name,
            facts=link.target.facts,
            ready=link.target.is_usable,
        )
        for link in resource.links.all()
    }


def _origin(resource: Resource) -> Origin | None:
    stored = resource.origin
    if not stored:
        return None
    return Origin(
        handle=stored["handle"],
        kind=stored["kind"],
        child_id=uuid.UUID(stored["child_id"]),
        facts=stored.get("facts", {}),
        key=stored.get("key", ""),
        in_place=stored.get("in_place", False),
    )
