"""Adds people to a project and changes their roles together, for page and API alike."""

from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.core.errors import FieldError, escape, invalid
from portal.projects import access, actions, inviting
from portal.projects.models import Organization, Project, ProjectRole


def add_member(actor: Actor, *, project: Project, email: str, organization_role: str, project_role: str) -> User:
    """Give somebody who has an account here roles in the project and, if they are new to it, in its organization.

    Raises as ``check_addition``.
    """
    user, role = check_addition(actor, project=project, email=email, organization_role=organization_role)
    set_roles(actor, project=project, user=user, organization_role=role, project_role=project_role or None)
    return user


def add_or_invite(
    actor: Actor, *, project: Project, email: str, organization_role: str, project_role: str
) -> inviting.Issued | None:
    """Give a member of the organization a role in the project; invite anybody else, with an account or without.

    Raises Problem as ``set_roles`` and ``inviting.invite``; ``invalid_arguments`` where the actor may not invite.
    """
    access.require(actor, project, "project.members", on=project.slug)
    organization = project.organization
    user = User.objects.filter(email__iexact=email, memberships__organization=organization, is_active=True).first()
    if user is not None:
        set_roles(actor, project=project, user=user, organization_role=None, project_role=project_role or None)
        return None
    if not inviting.givable_roles(actor, organization):
        detail = _("Nobody of %(organization)s has this address. Ask an admin of it to invite them.")
        raise invalid(FieldError("/email", "not_a_member", detail % {"organization": organization.name}))
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


def check_addition(actor: Actor, *, project: Project, email: str, organization_role: str) -> tuple[User, str | None]:
    """Return the person and the role that they need in the organization, if the actor may add them.

    A project's admin adds people of the organization; somebody new to it takes the organization's admin.
    Raises Problem: ``permission_denied``, ``invalid_arguments``.
    """
    access.require(actor, project, "project.members", on=project.slug)
    user = User.objects.filter(email__iexact=email, is_active=True, machine_of=None).first()
    if user is None:
        detail = _("Nobody here has this address. Ask your operator to make an account first.")
        raise invalid(FieldError("/email", "unknown", detail))
    if actions.role_in_organization(project.organization, user) is not None:
        return user, None
    actions.check_membership(actor, organization=project.organization, user=user, role=organization_role)
    return user, organization_role


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
