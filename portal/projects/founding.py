"""Makes an organization for somebody who came by themselves: with a first project, and them as its owner."""

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.actors import account_of
from portal.accounts.models import User
from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import conflict, invalid, permission_denied
from portal.projects.models import Membership, Organization, OrganizationRole, Project
from portal.projects.slugs import name_errors, with_free_slug

MOST_OWNED = 3  # organizations that one person may own before founding another


def found_organization(actor: Actor, *, name: str, project: str) -> Project:
    """Make an organization and its first project for the actor, its owner, and return the project.

    Raises Problem: ``permission_denied`` (service accounts, and tokens that are narrowed), ``too_many_organizations``,
    ``invalid_arguments`` for ``/name`` or ``/project``.
    """
    if actor.kind != "user" or actor.scopes is not None:
        audit.record(actor=actor, action="organization.found", target_kind="organization", outcome="denied")
        raise permission_denied("organization.found", name)
    if errors := [*name_errors("/name", name), *name_errors("/project", project)]:
        raise invalid(*errors)
    with transaction.atomic():
        founder = User.objects.select_for_update(no_key=True).get(id=account_of(actor))
        _check_bound(founder)
        organization = with_free_slug(name, None, lambda name, slug: _organization(actor, founder, name, slug))
        return with_free_slug(project, None, lambda name, slug: _project(actor, organization, name, slug))


def may_found(user: User) -> bool:
    """Tell whether somebody owns fewer than the bound."""
    return _owned(user) < MOST_OWNED


def _check_bound(founder: User) -> None:
    if not may_found(founder):
        detail = _("You own %(most)d organizations already. An operator of this portal can make another one.")
        raise conflict("too_many_organizations", detail % {"most": MOST_OWNED})


def _owned(user: User) -> int:
    return Membership.objects.filter(user=user, role=OrganizationRole.OWNER).count()


def _organization(actor: Actor, founder: User, name: str, slug: str) -> Organization:
    organization = Organization.objects.create(name=name, slug=slug)
    Membership.objects.create(organization=organization, user=founder, role=OrganizationRole.OWNER)
    _record(actor, "organization.found", organization, None, {"name": [None, name], "role": [None, "owner"]})
    return organization


def _project(actor: Actor, organization: Organization, name: str, slug: str) -> Project:
    project = Project.objects.create(organization=organization, name=name, slug=slug)
    _record(actor, "project.create", organization, project, {"name": [None, name]})
    return project


def _record(
    actor: Actor, action: str, organization: Organization, project: Project | None, changes: dict[str, list[str | None]]
) -> None:
    target = project or organization
    audit.record(
        actor=actor,
        action=action,
        target_kind="project" if project else "organization",
        target_id=target.id,
        target_name=target.slug,
        organization_id=organization.id,
        project_id=project.id if project else None,
        changes=changes,
    )
