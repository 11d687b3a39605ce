"""Invitations as the invited see them: looked at, accepted, declined. The link alone is not enough.

Whoever accepts is signed in and has the address that the invitation went to. A link that is unknown, expired, used or
revoked, or whose maker could not make it any more, answers always the same.
"""

from dataclasses import dataclass
from http import HTTPStatus

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts import addresses
from portal.accounts.actions import require_writing
from portal.accounts.actors import account_of
from portal.accounts.models import User, digest
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem
from portal.projects import actions, happenings, inviting
from portal.projects import permissions as table
from portal.projects.models import Invitation, Membership, Organization, OrganizationRole, Project, ProjectMembership


@dataclass(frozen=True, slots=True)
class Look:
    """What a link leads to, for whoever looks: ``is_theirs`` only for the person with its address."""

    invitation: Invitation
    is_theirs: bool


def look(actor: Actor, token: str) -> Look:
    """Return what a link is about. Raises Problem ``invitation_gone``."""
    invitation = _open(token)
    return Look(invitation, _person(actor, invitation) is not None)


def accept(actor: Actor, token: str) -> Organization:
    """Become a member with the roles that the invitation names; roles that somebody has already are never lowered.

    Raises Problem: ``invitation_gone``, ``not_your_invitation``, ``permission_denied`` (a token that only reads).
    """
    with transaction.atomic():
        invitation, user = _answered(actor, token)
        invitation.accepted_at = timezone.now()
        invitation.save(update_fields=["accepted_at"])
        inviting.record(actor, "organization.accept_invitation", invitation)
        happenings.accepted(actor, invitation)
        _become_member(actor, invitation, user)
        for project in invitation.organization.projects.filter(slug__in=invitation.project_roles):
            _join(actor, project, user, invitation.project_roles[project.slug])
    return invitation.organization


def decline(actor: Actor, token: str) -> None:
    """Say no: the link is dead. Raises Problem as ``accept``."""
    with transaction.atomic():
        invitation, _user = _answered(actor, token)
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])
        inviting.record(actor, "organization.decline_invitation", invitation)


def _answered(actor: Actor, token: str) -> tuple[Invitation, User]:
    """Return the invitation, held until the transaction ends, and who answers it."""
    found = _open(token)
    Organization.objects.select_for_update().get(pk=found.organization_id)
    invitation = _open(token, held=True)
    require_writing(actor, "organization.accept_invitation")
    user = _person(actor, invitation)
    if user is None:
        detail = _("This invitation went to another address. Sign in with the one that it was sent to.")
        raise Problem("not_your_invitation", HTTPStatus.FORBIDDEN, detail)
    return invitation, user


def _open(token: str, *, held: bool = False) -> Invitation:
    rows = inviting.open_invitations().filter(digest=digest(token), organization__closed_at=None)
    if held:
        rows = rows.select_for_update(of=("self",))
    invitation = rows.select_related("organization", "invited_by").first()
    if invitation is None or not _still_vouched(invitation):
        detail = _("This invitation does not work any more, or never did. Ask for a new one.")
        named = (FieldError("/token", "invitation_gone", detail),)
        raise Problem("invitation_gone", HTTPStatus.GONE, detail, errors=named)
    return invitation


def _still_vouched(invitation: Invitation) -> bool:
    """Whether who made it could still do so: nobody comes back by an invitation that they made before they left."""
    inviter = invitation.invited_by
    if inviter is None:
        return True
    role = actions.role_in_organization(invitation.organization, inviter) if inviter.is_active else None
    own = table.organization_permissions(role)
    return "organization.members" in own and table.organization_permissions(invitation.role) <= own


def _person(actor: Actor, invitation: Invitation) -> User | None:
    """Return the person who asks, if the invitation is theirs. A service account has no address."""
    user = User.objects.filter(id=account_of(actor), is_active=True, machine_of=None).first()
    return user if user is not None and addresses.owns(user, invitation.email) else None


def _become_member(actor: Actor, invitation: Invitation, user: User) -> None:
    organization, role = invitation.organization, OrganizationRole(invitation.role)
    old = actions.role_in_organization(organization, user)
    if table.organization_permissions(role) <= table.organization_permissions(old) and old is not None:
        return
    Membership.objects.update_or_create(organization=organization, user=user, defaults={"role": role})
    actions.record(actor, "organization.set_role", user, organization, None, {"role": [old, role]})


def _join(actor: Actor, project: Project, user: User, role: str) -> None:
    old = ProjectMembership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    if table.project_permissions(None, role) <= table.project_permissions(None, old):
        return
    ProjectMembership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    actions.record(actor, "project.set_role", user, project.organization, project, {"role": [old, role]})
