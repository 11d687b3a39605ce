"""Adds people to a project and changes their roles together, for page and API alike."""

from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, escape, invalid
from portal.projects import access, actions, inviting
from portal.projects.models import Organization, Project, ProjectRole


def add_member(actor: Actor, *, project: Project, email: str, project_role: str | None) -> User:
    """Give somebody of the organization a role in the project. Raises as ``find_member`` and ``set_roles``."""
    user = find_member(actor, project=project, email=email)
    set_roles(actor, project=project, user=user, organization_role=None, project_role=project_role or None)
    return user


def add_or_invite(
    actor: Actor, *, project: Project, email: str, organization_role: str, project_role: str
) -> inviting.Issued | None:
    """Give a member of the organization a role in the project; invite anybody else, with an account or without.

    Raises Problem as ``set_roles`` and ``inviting.invite``; ``invalid_arguments`` where the actor may not invite.
    """
    access.require(actor, project, "project.members", on=project.slug)
    organization = project.organization
    if (user := _member(organization, email)) is not None:
        set_roles(actor, project=project, user=user, organization_role=None, project_role=project_role or None)
        return None
    if not inviting.givable_roles(actor, organization):
        raise _not_a_member(organization)
    roles = {project.slug: project_role} if project_role else {}
    return inviting.invite(actor, organization=organization, email=email, role=organization_role, project_roles=roles)


def set_all_roles(
    actor: Actor,
    *,
    organization: Organization,
    user: User,
    organization_role: str | None,
    project_roles: Mapping[str, str | None],
) -> None:
    """Set somebody's role in an organization (None: it stays) and, by slug, in its projects: all or none.

    An empty role of a project takes it away. Raises as ``actions.set_membership`` and ``actions.set_project_role``;
    ``invalid_arguments`` naming each unknown project.
    """
    access.require_in_organization(actor, organization, "organization.members", on=organization.slug)
    projects = {project.slug: project for project in organization.projects.all()} if project_roles else {}
    unknown = [f"/project_roles/{escape(slug[:80])}" for slug in project_roles if slug not in projects]
    if unknown:
        detail = _("The organization has no such project.")
        raise invalid(*[FieldError(pointer, "unknown_project", detail) for pointer in unknown])
    with transaction.atomic():
        if organization_role:
            actions.set_membership(actor, organization=organization, user=user, role=organization_role)
        for slug, role in project_roles.items():
            actions.set_project_role(actor, project=projects[slug], user=user, role=role or None)


def find_member(actor: Actor, *, project: Project, email: str) -> User:
    """Return the one of the organization's people who has this address.

    The answer is the same for every other address: nobody finds out by it who has an account here. Raises Problem:
    ``permission_denied``, ``invalid_arguments``.
    """
    access.require(actor, project, "project.members", on=project.slug)
    user = _member(project.organization, email)
    if user is None:
        raise _not_a_member(project.organization)
    return user


def set_roles(
    actor: Actor, *, project: Project, user: User, organization_role: str | None, project_role: str | None
) -> None:
    """Set both roles or neither. None leaves a role as it is; an empty project role takes it away.

    Raises as ``actions.set_membership`` and ``actions.set_project_role``.
    """
    access.require(actor, project, "project.members", on=project.slug)
    if project_role:
        actions.check_role(project_role, ProjectRole)
    organization = project.organization
    if organization_role:
        actions.check_membership(actor, organization=organization, user=user, role=organization_role)
    with transaction.atomic():
        if organization_role:
            actions.set_membership(actor, organization=organization, user=user, role=organization_role)
        if project_role is not None:
            actions.set_project_role(actor, project=project, user=user, role=project_role or None)


def _member(organization: Organization, email: str) -> User | None:
    people = User.objects.filter(memberships__organization=organization, is_active=True, machine_of=None)
    return people.filter(email__iexact=email).first()


def _not_a_member(organization: Organization) -> Problem:
    detail = _("Nobody of %(organization)s has this address. Ask an admin of it to invite them.")
    return invalid(FieldError("/email", "not_a_member", detail % {"organization": organization.name}))
