"""The only way to an organization or project from outside: what is not for this actor is not there (DESIGN 11).

A refusal writes an audit row that must stay although the act is undone: whoever answers calls ``Problem.afterwards``.
"""

import re
import uuid
from functools import partial

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from portal.accounts.actors import account_of
from portal.audit import actions as audit
from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import Problem, conflict, not_found, permission_denied
from portal.projects import permissions as table
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from portal.projects.scopes import allowed_projects, narrowed, narrowed_in_organization

SLUG = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def visible_projects(actor: Actor, permission: str = "project.read") -> QuerySet[Project]:
    """Return the projects in which the actor has a permission, as one query that also serves as a subquery."""
    found = _in_scope(actor, permission)
    return found if permission in provider_permissions(actor) else found.filter(_by_role(actor, permission))


def own_projects(actor: Actor, permission: str = "project.read") -> QuerySet[Project]:
    """Return the same by memberships alone: what lists show, to the provider's people too."""
    return _in_scope(actor, permission).filter(_by_role(actor, permission))


def visible_organizations(actor: Actor, permission: str = "organization.read") -> QuerySet[Organization]:
    """Return the organizations in which the actor has a permission."""
    found = _organizations_in_scope(actor, permission)
    return found if permission in provider_permissions(actor) else found.filter(_by_membership(actor, permission))


def own_organizations(actor: Actor, permission: str = "organization.read") -> QuerySet[Organization]:
    """Return the same by memberships alone."""
    return _organizations_in_scope(actor, permission).filter(_by_membership(actor, permission))


def access_project(actor: Actor, ref: str, permission: str = "project.read") -> Project:
    """Return the project with this slug or public id, with its organization.

    Raises Problem: ``not_found`` where it may not be seen, ``permission_denied`` where it may not be acted upon.
    """
    project = visible_projects(actor).select_related("organization").filter(_named("proj", ref)).first()
    if project is None:
        raise not_found()
    require(actor, project, permission, on=project.slug)
    return project


def access_organization(actor: Actor, ref: str, permission: str = "organization.read") -> Organization:
    """Return the organization with this slug or public id. Raises as ``access_project``."""
    organization = visible_organizations(actor).filter(_named("org", ref)).first()
    if organization is None:
        raise not_found()
    require_in_organization(actor, organization, permission, on=organization.slug)
    return organization


def permissions_in(actor: Actor, project: Project) -> frozenset[str]:
    """Return all that the actor may do in a project: roles of person and provider, narrowed by the token."""
    limit = allowed_projects(actor)
    if limit is not None and project.slug not in limit:
        return frozenset()
    by_role = table.project_permissions(*_roles(actor, project))
    return narrowed(actor, by_role | provider_permissions(actor))


def permissions_in_organization(actor: Actor, organization: Organization) -> frozenset[str]:
    """Return all that the actor may do in an organization itself."""
    membership = Membership.objects.filter(user_id=account_of(actor), organization=organization)
    role = membership.values_list("role", flat=True).first()
    return narrowed_in_organization(actor, table.organization_permissions(role) | provider_permissions(actor))


def require(actor: Actor, project: Project, permission: str, *, on: str) -> None:
    """Raise ``permission_denied``, and record the try, unless the actor has a permission. ``on`` names the thing."""
    if permission not in permissions_in(actor, project):
        raise denied(actor, permission, on=on, organization_id=project.organization_id, project=project)


def require_in_organization(actor: Actor, organization: Organization, permission: str, *, on: str) -> None:
    """The same for what is about an organization."""
    if permission not in permissions_in_organization(actor, organization):
        raise denied(actor, permission, on=on, organization_id=organization.id)


def require_open(organization: Organization) -> None:
    """Raise Problem ``organization_closed`` for what a closed organization refuses: all but reading and leaving."""
    if organization.closed_at is not None:
        detail = _("%(name)s is closed: what is there can be read, nothing new is made. An owner can reopen it.")
        raise conflict("organization_closed", detail % {"name": organization.name}, organization=organization.public_id)


def provider_permissions(actor: Actor) -> frozenset[str]:
    """Return what the provider's people may do everywhere; the platform itself may do all."""
    if actor.kind == "system":
        return table.EVERYTHING
    operator = table.OPERATOR if actor.is_operator else frozenset()
    return operator | (table.SUPPORT if actor.is_support else frozenset())


def denied(
    actor: Actor, permission: str, *, on: str, organization_id: uuid.UUID, project: Project | None = None
) -> Problem:
    """Record a denied try and return the problem to raise; the record is made to outlive the act's rollback."""
    event = audit.record(
        actor=actor,
        action=permission,
        target_kind="project" if project else "organization",
        target_id=project.id if project else organization_id,
        target_name=on,
        organization_id=organization_id,
        project_id=project.id if project else None,
        outcome="denied",
    )
    problem = permission_denied(permission, on)
    problem.afterwards = partial(audit.keep, event)
    return problem


def _in_scope(actor: Actor, permission: str) -> QuerySet[Project]:
    if permission not in narrowed(actor, frozenset({permission})):
        return Project.objects.none()
    limit = allowed_projects(actor)
    return Project.objects.all() if limit is None else Project.objects.filter(slug__in=limit)


def _organizations_in_scope(actor: Actor, permission: str) -> QuerySet[Organization]:
    if permission not in narrowed_in_organization(actor, frozenset({permission})):
        return Organization.objects.none()
    limit = allowed_projects(actor)
    if limit is None:
        return Organization.objects.all()
    return Organization.objects.filter(id__in=Project.objects.filter(slug__in=limit).values("organization_id"))


def _by_role(actor: Actor, permission: str) -> Q:
    organizations = _memberships(actor, permission).values("organization_id")
    roles = table.roles_with(table.BY_PROJECT_ROLE, permission)
    projects = ProjectMembership.objects.filter(user_id=account_of(actor), role__in=roles).values("project_id")
    return Q(organization_id__in=organizations) | Q(id__in=projects)


def _by_membership(actor: Actor, permission: str) -> Q:
    return Q(id__in=_memberships(actor, permission).values("organization_id"))


def _memberships(actor: Actor, permission: str) -> QuerySet[Membership]:
    roles = table.roles_with(table.BY_ORGANIZATION_ROLE, permission)
    return Membership.objects.filter(user_id=account_of(actor), role__in=roles)


def _named(prefix: str, ref: str) -> Q:
    """Match a slug or a public id in its exact form; anything else matches nothing."""
    if key := ids.decode(prefix, ref):
        return Q(id=key)
    return Q(slug=ref) if SLUG.fullmatch(ref) else Q(pk__in=[])


def _roles(actor: Actor, project: Project) -> tuple[str | None, str | None]:
    """Return the actor's roles in the project's organization and in the project, in one query."""
    in_organization = Membership.objects.filter(user_id=account_of(actor), organization=OuterRef("organization"))
    in_project = ProjectMembership.objects.filter(user_id=account_of(actor), project=OuterRef("pk"))
    row = Project.objects.filter(pk=project.pk).values_list(
        Subquery(in_organization.values("role")[:1]), Subquery(in_project.values("role")[:1])
    )
    return row.first() or (None, None)
