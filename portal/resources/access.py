"""The only way to a service, operation or child from outside: what is not for this actor is not there (DESIGN 11)."""

from portal.core import ids, registry
from portal.core.actors import Actor
from portal.core.errors import not_found
from portal.core.offerings import ChildKind
from portal.projects import access
from portal.projects.scopes import allowed_families
from portal.resources.models import Child, Operation, Resource
from portal.resources.querysets import ResourceQuerySet


def visible_resources(actor: Actor, permission: str = "service.read") -> ResourceQuerySet:
    """Return all services, tombstones included, that this actor has a permission on."""
    found = Resource.objects.filter(project__in=access.visible_projects(actor, permission))
    families = allowed_families(actor)
    return found if families is None else found.filter(offering_slug__in=offerings_in(families))


def offerings_in(families: frozenset[str]) -> list[str]:
    """Return the slugs of the offerings in some families."""
    return [slug for slug, offering in registry.offerings().items() if offering.family in families]


def access_resource(actor: Actor, public_id: str, permission: str) -> Resource:
    """Return the service, with project, region and cluster.

    Raises Problem: ``not_found`` where it may not be seen, ``permission_denied`` where it may not be acted upon.
    """
    key = ids.decode("svc", public_id)
    query = visible_resources(actor).select_related("project__organization", "region", "cluster")
    resource = query.filter(id=key).first() if key else None
    if resource is None:
        raise not_found()
    access.require(actor, resource.project, permission, on=resource.name)
    return resource


def access_operation(actor: Actor, public_id: str, permission: str = "service.read") -> Operation:
    """Return an operation of a service that this actor may see. Raises as ``access_resource``."""
    key = ids.decode("op", public_id)
    query = Operation.objects.select_related("resource__project__organization", "child")
    operation = query.filter(id=key, resource__in=visible_resources(actor)).first() if key else None
    if operation is None:
        raise not_found()
    access.require(actor, operation.resource.project, permission, on=operation.resource.name)
    return operation


def kind_of(resource: Resource, slug: str) -> ChildKind:
    """Return the kind of child that a path names. Raises ``not_found``."""
    kind = resource.offering.child(slug)
    if kind is None:
        raise not_found()
    return kind


def access_child(actor: Actor, resource: Resource, kind_slug: str, public_id: str, permission: str) -> Child:
    """Return a part of a service already reached; ``cred_`` ids name the login that they are of."""
    kind = kind_of(resource, kind_slug)
    key = ids.decode(kind.prefix, public_id)
    child = Child.objects.filter(resource=resource, kind=kind.slug, id=key).first() if key else None
    if child is None:
        raise not_found()
    access.require(actor, resource.project, permission, on=child.name)
    child.resource = resource
    return child


def access_credential(actor: Actor, resource: Resource, public_id: str, permission: str) -> Child:
    """Return the login behind a ``cred_`` id. Raises as ``access_resource``."""
    kind, key = resource.offering.credentials_kind, ids.decode("cred", public_id)
    child = Child.objects.filter(resource=resource, kind=kind.slug, id=key).first() if kind and key else None
    if child is None:
        raise not_found()
    access.require(actor, resource.project, permission, on=child.name)
    child.resource = resource
    return child
