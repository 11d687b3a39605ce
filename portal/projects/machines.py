"""Service accounts of an organization: they hold roles and tokens, and never sign in (decision 0010).

Who has ``organization.machines`` makes them, with roles below their own, and their tokens, never stronger than the one
in use.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts import actions as accounts
from portal.accounts.models import ApiToken, User
from portal.accounts.queries import living_tokens_of
from portal.audit import actions as audit
from portal.core import ids, texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, escape, invalid, not_found
from portal.projects import access
from portal.projects import permissions as table
from portal.projects.models import Membership, Organization, OrganizationRole, Project, ProjectMembership, ProjectRole

PERMISSION = "organization.machines"
MOST = 200  # service accounts of an organization


def machines_of(organization: Organization) -> QuerySet[User]:
    """Return the service accounts with ``role``, ``tokens_alive`` and ``used_at``, and their roles in projects."""
    role = Membership.objects.filter(organization=organization, user=OuterRef("pk")).values("role")
    alive = Q(tokens__revoked_at=None) & (Q(tokens__expires_at=None) | Q(tokens__expires_at__gt=timezone.now()))
    rows = User.objects.filter(machine_of=organization.pk, memberships__organization=organization)
    return rows.annotate(
        role=Subquery(role), tokens_alive=Count("tokens", filter=alive), used_at=Max("tokens__last_used_at")
    ).prefetch_related("project_memberships__project")


def access_machine(actor: Actor, organization: Organization, public_id: str) -> User:
    """Return a service account of an organization already reached. Raises Problem: denied, ``not_found``."""
    _require(actor, organization)
    key = ids.decode("sa", public_id)
    found = machines_of(organization).filter(pk=key).first() if key else None
    if found is None:
        raise not_found()
    return found


def access_token(actor: Actor, machine: User, public_id: str) -> ApiToken:
    """Return a token of a service account already reached; a scoped token sees none that is stronger."""
    key = ids.decode("tok", public_id)
    found = living_tokens_of(machine, actor.scopes).filter(pk=key).first() if key else None
    if found is None:
        raise not_found()
    return found


def roles_for(actor: Actor, organization: Organization) -> list[OrganizationRole]:
    """Return the roles that the actor may give a service account: those below their own, and never an owner's."""
    own = access.permissions_in_organization(actor, organization)
    below = [role for role in OrganizationRole if table.organization_permissions(role) < own]
    return [role for role in below if role != OrganizationRole.OWNER]


def projects_for_tokens(actor: Actor) -> list[tuple[str, str]]:
    """Return slug and name of the projects that one's own token can be limited to (``settings.PLACES_FOR_TOKENS``)."""
    return list(access.own_projects(actor).values_list("slug", "name")[:MOST])


def create(
    actor: Actor, *, organization: Organization, name: str, role: str, project_roles: Mapping[str, str] | None = None
) -> User:
    """Make a service account with a role in the organization, and in projects by slug.

    Raises Problem: ``permission_denied`` (also for a role not below the actor's own), ``invalid_arguments``,
    ``organization_closed``.
    """
    _require(actor, organization)
    wanted = _checked_roles(actor, organization, role, project_roles or {})
    with transaction.atomic():
        _lock(organization)
        if machines_of(organization).count() >= MOST:
            detail = _("There are 200 service accounts. Delete one that is not used.")
            raise invalid(FieldError("/name", "too_many", detail))
        _check_name(organization, name)
        machine = User.objects.create_machine(name=name.strip(), organization_id=organization.pk)
        Membership.objects.create(user=machine, organization=organization, role=role)
        _give(machine, wanted)
        changes = {"name": [None, machine.name], "role": [None, role], "project_roles": [None, dict(wanted)]}
        _record(actor, "service_account.create", machine, organization, changes)
    return access_machine(actor, organization, machine.public_id)


def change(
    actor: Actor,
    *,
    organization: Organization,
    machine: User,
    name: str | None = None,
    role: str | None = None,
    project_roles: Mapping[str, str] | None = None,
    active: bool | None = None,
) -> User:
    """Change what is given; ``project_roles`` stands for all of them. An inactive one's tokens work no more.

    Raises Problem as ``create``.
    """
    _require_over(actor, organization, machine)
    before: dict[str, Any] = {"name": machine.name, "role": role_of(machine), "active": machine.is_active}
    before["project_roles"] = project_roles_of(machine)
    wanted = _checked_roles(actor, organization, role, project_roles or {}, old=before["role"])
    after: dict[str, Any] = {"name": name.strip() if name is not None else None, "role": role, "active": active}
    after["project_roles"] = wanted if project_roles is not None else None
    changes = {key: [before[key], new] for key, new in after.items() if new is not None and new != before[key]}
    with transaction.atomic():
        _lock(organization)
        if "name" in changes:
            _check_name(organization, str(after["name"]), of=machine)
        _write(organization, machine, changes)
        if changes:
            _record(actor, "service_account.change", machine, organization, changes)
    return access_machine(actor, organization, machine.public_id)


def delete(actor: Actor, *, organization: Organization, machine: User) -> None:
    """Take a service account away: its tokens end, its roles go; the row stays, inactive, for the audit log."""
    _require_over(actor, organization, machine)
    with transaction.atomic():
        _lock(organization, is_closing=True)
        if not Membership.objects.filter(user=machine, organization=organization).exists():
            raise not_found()
        ended = accounts.end_all_tokens(machine)
        ProjectMembership.objects.filter(user=machine).delete()
        Membership.objects.filter(user=machine).delete()
        User.objects.filter(pk=machine.pk).update(is_active=False)
        _record(actor, "service_account.delete", machine, organization, {"tokens_revoked": [None, ended]})


def make_token(
    actor: Actor,
    *,
    organization: Organization,
    machine: User,
    name: str,
    scopes: Sequence[str] = (),
    expires_at: datetime.datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token of a service account and return it with its plain text, which is told this once.

    Raises Problem: as ``accounts.actions.create_token``; ``not_active`` for one that was shut out.
    """
    _require_over(actor, organization, machine)
    access.require_open(organization)
    if not machine.is_active:
        raise conflict("not_active", _("This service account is inactive. Activate it first."))
    return accounts.issue_token(actor, machine, name=name, scopes=scopes, expires_at=expires_at)


def revoke_token(actor: Actor, *, organization: Organization, token: ApiToken) -> None:
    """End a token of a service account at once."""
    _require(actor, organization)
    accounts.end_token(actor, token)


def role_of(machine: User) -> str | None:
    """Return the role in its organization."""
    known: str | None = getattr(machine, "role", None)
    return known or Membership.objects.filter(user=machine).values_list("role", flat=True).first()


def project_roles_of(machine: User) -> dict[str, str]:
    """Return its roles in projects, by slug."""
    return {row.project.slug: row.role for row in machine.project_memberships.all()}


def _require(actor: Actor, organization: Organization) -> None:
    access.require_in_organization(actor, organization, PERMISSION, on=organization.slug)


def _require_over(actor: Actor, organization: Organization, machine: User) -> None:
    """Refuse who has less than the service account itself: its tokens would be a way up."""
    _require(actor, organization)
    own = access.permissions_in_organization(actor, organization)
    if not table.organization_permissions(role_of(machine)) <= own:
        raise access.denied(actor, PERMISSION, on=machine.label, organization_id=organization.pk)


def _checked_roles(
    actor: Actor, organization: Organization, role: str | None, project_roles: Mapping[str, str], old: Any = None
) -> dict[str, str]:
    """Return the roles in projects, looked up; refuse those that are unknown or not the actor's to give."""
    errors = []
    if role is not None and role not in OrganizationRole.values:
        detail = _("Choose one of %(roles)s.") % {"roles": ", ".join(OrganizationRole.values)}
        errors.append(FieldError("/role", "choice", detail))
    named = [slug for slug in project_roles if access.SLUG.fullmatch(slug)]
    found = {p.slug for p in Project.objects.filter(organization=organization, slug__in=named)}
    for slug, wanted in project_roles.items():
        if slug not in found:
            detail = _("There is no such project in this organization.")
            errors.append(FieldError(f"/project_roles/{escape(slug[:63])}", "unknown", detail))
        elif wanted not in ProjectRole.values:
            detail = _("Choose one of %(roles)s.") % {"roles": ", ".join(ProjectRole.values)}
            errors.append(FieldError(f"/project_roles/{slug}", "choice", detail))
    if errors:
        raise invalid(*errors)
    if role is not None and role != old and role not in roles_for(actor, organization):
        raise access.denied(actor, PERMISSION, on=role, organization_id=organization.pk)
    return dict(project_roles)


def _check_name(organization: Organization, name: str, *, of: User | None = None) -> None:
    name = name.strip()
    errors = texts.errors("/name", name)
    others = machines_of(organization).exclude(pk__in=[of.pk] if of else [])
    if not 0 < len(name) <= 100:
        errors.append(FieldError("/name", "length", _("Give it a name of at most 100 characters.")))
    elif others.filter(name__iexact=name).exists():
        errors.append(FieldError("/name", "taken", _("A service account of this name is there already.")))
    if errors:
        raise invalid(*errors)


def _write(organization: Organization, machine: User, changes: Mapping[str, Sequence[Any]]) -> None:
    columns = {"name": "name", "active": "is_active"}
    values = {columns[key]: pair[1] for key, pair in changes.items() if key in columns}
    if values:
        User.objects.filter(pk=machine.pk).update(**values)
    if "role" in changes:
        Membership.objects.filter(user=machine, organization=organization).update(role=changes["role"][1])
    if "project_roles" in changes:
        ProjectMembership.objects.filter(user=machine).delete()
        _give(machine, changes["project_roles"][1])


def _give(machine: User, project_roles: Mapping[str, str]) -> None:
    projects = Project.objects.filter(slug__in=list(project_roles))
    ProjectMembership.objects.bulk_create(
        ProjectMembership(user=machine, project=project, role=project_roles[project.slug]) for project in projects
    )


def _lock(organization: Organization, *, is_closing: bool = False) -> None:
    """Let one change of who belongs to an organization happen at a time."""
    row = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if not is_closing:
        access.require_open(row)


def _record(actor: Actor, action: str, machine: User, organization: Organization, changes: dict[str, Any]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="service_account",
        target_id=machine.pk,
        target_name=machine.name,
        organization_id=organization.pk,
        changes=changes,
    )
