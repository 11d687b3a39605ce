"""Verbs on organizations, projects and who belongs to them. Each writes its audit row in its own transaction.

Who may: see ``permissions``. Nobody gives or takes a role above their own, and an organization keeps an owner.
"""

from django.db import transaction
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, conflict, invalid, not_found, permission_denied
from portal.projects import access, happenings
from portal.projects import permissions as table
from portal.projects.models import (
    Invitation,
    Membership,
    Organization,
    OrganizationRole,
    Project,
    ProjectMembership,
    ProjectRole,
)
from portal.projects.slugs import with_free_slug


def create_organization(actor: Actor, *, name: str, slug: str | None = None) -> Organization:
    """Make a customer; the provider's to do. Raises Problem ``permission_denied`` or ``invalid_arguments``."""
    if "provider.operate" not in access.provider_permissions(actor):
        audit.record(actor=actor, action="organization.create", target_kind="organization", outcome="denied")
        raise permission_denied("organization.create", name)
    return with_free_slug(name, slug, lambda name, slug: _new_organization(actor, name, slug))


def create_project(actor: Actor, *, organization: Organization, name: str, slug: str | None = None) -> Project:
    """Make a workspace in an organization. Without a slug one is made from the name.

    Raises Problem: ``permission_denied``, ``invalid_arguments`` (bad or taken slug, no name).
    """
    access.require_in_organization(actor, organization, "project.create", on=organization.slug)
    access.require_open(organization)
    return with_free_slug(name, slug, lambda name, slug: _new_project(actor, organization, name, slug))


def set_membership(actor: Actor, *, organization: Organization, user: User, role: str) -> Membership:
    """Make somebody a member of an organization, or change their role.

    Raises Problem: ``permission_denied`` (also for a role above the actor's own), ``last_owner``,
    ``invalid_arguments``.
    """
    old = check_membership(actor, organization=organization, user=user, role=role)
    with transaction.atomic():
        access.require_open(lock(organization, user, old))
        _keep_an_owner(organization, user, old, role)
        if old != role:
            Membership.objects.update_or_create(organization=organization, user=user, defaults={"role": role})
            record(actor, "organization.set_role", user, organization, None, {"role": [old, role]})
    return Membership.objects.get(organization=organization, user=user)


def check_membership(actor: Actor, *, organization: Organization, user: User, role: str) -> str | None:
    """Return somebody's present role if the actor may give them another one. Raises as ``set_membership``."""
    access.require_in_organization(actor, organization, "organization.members", on=organization.slug)
    check_role(role, OrganizationRole)
    if user.is_machine:  # its roles are `machines.change`'s, which never makes it an owner
        raise not_found()
    old = role_in_organization(organization, user)
    _refuse_above_own(actor, organization, old, role)
    return old


def remove_membership(actor: Actor, *, organization: Organization, user: User) -> None:
    """Take somebody out of an organization and all its projects. People may always leave by themselves.

    Raises Problem: ``permission_denied``, ``last_owner``, ``not_found`` for somebody who is no member.
    """
    old = role_in_organization(organization, user)
    if old is None:
        raise not_found()
    if actor.id != user.id or actor.scopes is not None:
        access.require_in_organization(actor, organization, "organization.members", on=organization.slug)
        _refuse_above_own(actor, organization, old, None)
    with transaction.atomic():
        lock(organization, user, old)
        _keep_an_owner(organization, user, old, None)
        ProjectMembership.objects.filter(project__organization=organization, user=user).delete()
        Membership.objects.filter(organization=organization, user=user).delete()
        made = Invitation.objects.filter(organization=organization, invited_by=user, accepted_at=None, revoked_at=None)
        made.update(revoked_at=timezone.now())
        record(actor, "organization.remove_member", user, organization, None, {"role": [old, None]})


def remove_from_project(actor: Actor, *, project: Project, user: User) -> None:
    """Take somebody's role in a project away; in the organization they stay. People may always give up their own.

    Raises Problem: ``permission_denied``, ``not_found`` for somebody without a part in it, ``belongs_by_organization``
    for those whose part in it comes from their role in the organization.
    """
    if actor.id != user.id or actor.scopes is not None:
        access.require(actor, project, "project.members", on=project.slug)
    with transaction.atomic():
        organization = Organization.objects.select_for_update().get(id=project.organization_id)
        held = ProjectMembership.objects.filter(project=project, user=user)
        old = held.values_list("role", flat=True).first()
        if old is None:
            raise _without_project_role(organization, user)
        held.delete()
        record(actor, "project.set_role", user, organization, project, {"role": [old, None]})


def _without_project_role(organization: Organization, user: User) -> Problem:
    role = role_in_organization(organization, user)
    if "project.read" not in table.project_permissions(role, None):
        return not_found()
    detail = _("%(email)s belongs to every project of %(organization)s by their role in it. Change that role instead.")
    words = {"email": user.email, "organization": organization.name}
    return conflict("belongs_by_organization", detail % words)


def set_project_role(actor: Actor, *, project: Project, user: User, role: str | None) -> None:
    """Give a member of the project's organization a role in the project, or take it away (None).

    Raises Problem: ``permission_denied`` (also for a role above the actor's own), ``not_a_member``,
    ``invalid_arguments``.
    """
    access.require(actor, project, "project.members", on=project.slug)
    if role:
        check_role(role, ProjectRole)
    old = ProjectMembership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    if not table.project_permissions(None, role) <= access.permissions_in(actor, project):
        raise access.denied(actor, "project.members", on=project.slug, organization_id=project.organization_id)
    with transaction.atomic():
        organization = Organization.objects.select_for_update().get(id=project.organization_id)
        if role is not None:
            access.require_open(organization)
        if role_in_organization(organization, user) is None:
            raise conflict("not_a_member", _("Only members of the organization can have a role in its projects."))
        if old == role:
            return
        if role is None:
            ProjectMembership.objects.filter(project=project, user=user).delete()
        else:
            ProjectMembership.objects.update_or_create(project=project, user=user, defaults={"role": role})
        record(actor, "project.set_role", user, organization, project, {"role": [old, role]})


def role_in_organization(organization: Organization, user: User) -> str | None:
    """Return somebody's role in an organization, or None."""
    return Membership.objects.filter(organization=organization, user=user).values_list("role", flat=True).first()


def _new_organization(actor: Actor, name: str, slug: str) -> Organization:
    organization = Organization.objects.create(name=name, slug=slug)
    audit.record(
        actor=actor,
        action="organization.create",
        target_kind="organization",
        target_id=organization.id,
        target_name=organization.slug,
        organization_id=organization.id,
        changes={"name": [None, name]},
    )
    return organization


def _new_project(actor: Actor, organization: Organization, name: str, slug: str) -> Project:
    project = Project.objects.create(organization=organization, name=name, slug=slug)
    audit.record(
        actor=actor,
        action="project.create",
        target_kind="project",
        target_id=project.id,
        target_name=project.slug,
        organization_id=organization.id,
        project_id=project.id,
        changes={"name": [None, name]},
    )
    return project


def check_role(role: str, roles: type[TextChoices]) -> None:
    if role not in roles.values:
        detail = _("Choose one of %(roles)s.") % {"roles": ", ".join(roles.values)}
        raise invalid(FieldError("/role", "choice", detail))


def _refuse_above_own(actor: Actor, organization: Organization, old: str | None, new: str | None) -> None:
    own = access.permissions_in_organization(actor, organization)
    if not table.organization_permissions(old) | table.organization_permissions(new) <= own:
        raise access.denied(actor, "organization.members", on=organization.slug, organization_id=organization.id)


def lock(organization: Organization, user: User, expected: str | None) -> Organization:
    """Let one change of members happen at a time; what was judged before must still be so."""
    locked = Organization.objects.select_for_update().get(pk=organization.pk)
    if role_in_organization(organization, user) != expected:
        raise conflict("changed_meanwhile", _("Somebody else has just changed this role. Look again."))
    return locked


def _keep_an_owner(organization: Organization, user: User, old: str | None, new: str | None) -> None:
    if old != OrganizationRole.OWNER or new == OrganizationRole.OWNER:
        return
    others = Membership.objects.filter(organization=organization, role=OrganizationRole.OWNER).exclude(user=user)
    if not others.filter(user__is_active=True, user__machine_of=None).exists():
        raise conflict("last_owner", _("This is the last owner. Make somebody else an owner first."))


def record(
    actor: Actor,
    action: str,
    user: User,
    organization: Organization,
    project: Project | None,
    changes: dict[str, list[str | None]],
) -> None:
    """Write the row; the person stands in it as an id alone, so that erasing them leaves it whole."""
    audit.record(
        actor=actor,
        action=action,
        target_kind="user",
        target_id=user.id,
        target_name=project.slug if project else organization.slug,
        organization_id=organization.id,
        project_id=project.id if project else None,
        changes=changes,
    )
    happenings.roles_changed(actor, action, user, organization, project, changes)
