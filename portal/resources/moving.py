"""Moving a service to another project of its organization: it keeps its data, address, credentials and history.

What changes is who may see it, whose limits it counts for, and to which project it is billed from that moment on.
"""

import uuid
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.audit.actions import record
from portal.clusters.models import Cluster
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, conflict, invalid
from portal.projects import access
from portal.projects.models import Project
from portal.resources import admission, events, happenings
from portal.resources.actions import operations, parts
from portal.resources.actions.checking import name_taken
from portal.resources.models import Link, Operation, Resource
from portal.resources.querysets import ResourceQuerySet

OF_PROJECT = "project"  # an offering's isolation: its objects lie in the namespace of the project


def targets(actor: Actor, resource: Resource) -> list[Project]:
    """Return the projects that the actor may move a service to, by name."""
    rows = access.visible_projects(actor, "service.create").filter(organization=resource.project.organization_id)
    return list(rows.exclude(pk=resource.project_id).select_related("organization").order_by("name"))


def standing_reason(resource: Resource) -> str:
    """Say why a service can't be moved at all, whatever the target; empty where it can."""
    try:
        _refuse_bound(resource)
        parts.refuse_alone(resource)
        _refuse_torn(resource, _with_parts(resource))
    except Problem as problem:
        return problem.detail
    return ""


@transaction.atomic
def move(actor: Actor, resource: Resource, *, project: Project) -> Resource:
    """Move a service, with all that it brought along, to another project of the same organization.

    Raises Problem: ``permission_denied`` (it takes deleting here and creating there), ``invalid_arguments`` (the same
    project, or another organization's), ``name_taken``, ``quota_exceeded``, ``operation_in_progress``,
    ``resource_linked`` naming what would stay behind, ``bound_to_project``, ``part_of_service``.
    """
    access.require(actor, resource.project, "service.delete", on=resource.name)
    access.require(actor, project, "service.create", on=project.slug)
    row = operations.locked(resource)
    if row.project_id != resource.project_id:
        raise conflict("changed_meanwhile", _("Somebody else has just moved this service. Look again."))
    operations.require_living(row)
    parts.refuse_alone(row)
    _refuse_target(row, project)
    _refuse_bound(row)
    _admit(actor, row, project)
    moving = _with_parts(row, held=True)
    _refuse_busy(moving)
    _refuse_torn(row, moving)
    source = row.project
    _take(row, moving, project)
    _note(actor, row, source, project)
    return row


def _with_parts(resource: Resource, *, held: bool = False) -> list[Resource]:
    """Return a service and all that it brought along, however deep."""
    found, above = [resource], [resource.id]
    while above:
        below: ResourceQuerySet = Resource.objects.filter(owner__in=above, purged_at=None).order_by("id")
        rows = list(below.select_for_update(of=("self",), no_key=True) if held else below)
        found += rows
        above = [row.id for row in rows]
    return found


def _refuse_target(resource: Resource, project: Project) -> None:
    if project.pk == resource.project_id:
        raise invalid(FieldError("/project", "unchanged", _("The service is in this project already.")))
    if project.organization_id != resource.project.organization_id:
        detail = _("Choose a project of %(organization)s: services never leave their organization.")
        words = {"organization": resource.project.organization.name}
        raise invalid(FieldError("/project", "other_organization", detail % words))


def _refuse_bound(resource: Resource) -> None:
    """Refuse what lies in a namespace of its project's: objects can't change theirs, only be made anew."""
    if resource.cluster.kind == Cluster.Kind.KUBERNETES and resource.offering.isolation == OF_PROJECT:
        detail = _(
            "%(name)s can't be moved: in region %(region)s its namespace belongs to the project. Make a copy in the "
            "other project from a backup instead."
        )
        words = {"name": resource.name, "region": resource.cluster.region.name}
        raise conflict("bound_to_project", detail % words, resource_id=resource.public_id)


def _refuse_busy(moving: Iterable[Resource]) -> None:
    running = Operation.objects.filter(resource__in=[row.id for row in moving]).open().select_related("resource")
    for operation in running.order_by("id")[:1]:
        raise operations.in_progress(operation)


def _refuse_torn(resource: Resource, moving: Iterable[Resource]) -> None:
    """Refuse where a link would reach from one project into another, saying between which services."""
    inside = {row.id for row in moving}
    uses = Link.objects.filter(source__in=inside, target__purged_at=None).exclude(target__in=inside)
    used = Link.objects.filter(target__in=inside, source__purged_at=None).exclude(source__in=inside)
    names = sorted({*uses.values_list("target__name", flat=True), *used.values_list("source__name", flat=True)})
    if names:
        detail = _("%(name)s is linked with %(others)s, which would stay behind. Unlink them first.")
        words = {"name": resource.name, "others": ", ".join(names)}
        raise conflict("resource_linked", detail % words, resource_id=resource.public_id, linked=names)


def _admit(actor: Actor, resource: Resource, project: Project) -> None:
    """Ask as for an order there; the organization's own limits count it already."""
    request = admission.Request(
        actor, project, resource.offering, resource.plan, resource.cluster, resource.load_spec(), moves=True
    )
    admission.admit(request)


def _take(resource: Resource, moving: Iterable[Resource], project: Project) -> None:
    taken: set[uuid.UUID] = {row.id for row in moving}
    here = Resource.objects.living().filter(project=project, name=resource.name, owner=None)
    if here.exists():
        raise name_taken(resource.name)
    try:
        with transaction.atomic():
            Resource.objects.filter(id__in=taken).update(project=project)
    except IntegrityError as error:
        if "one_living_service_per_name" in str(error):
            raise name_taken(resource.name) from error
        raise
    resource.project = project


def _note(actor: Actor, resource: Resource, source: Project, target: Project) -> None:
    """Write it down in both projects' audit logs, in the service's activity, and in the history that is billed."""
    for project in (source, target):
        record(
            actor=actor,
            action="service.move",
            target_kind="service",
            target_id=resource.id,
            target_name=resource.name,
            organization_id=project.organization_id,
            project_id=project.id,
            changes={"project": [source.slug, target.slug]},
        )
    happenings.requested(resource, "service.move", {"project": [source.slug, target.slug]})
    words = _("Moved from project %(source)s to %(target)s") % {"source": source.slug, "target": target.slug}
    events.note(resource, "Moved", words, actor_id=actor.id)
    operations.record_change(resource)
