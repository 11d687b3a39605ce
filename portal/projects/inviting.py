"""Invitations as the organization's side makes them: asking a mail address in, asking again, taking it back.

Only those who manage members see invitations, and of them only ones for roles that they could give themselves. The link
is mailed, is in the maker's one answer, and is stored as a digest.
"""

import datetime
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.actors import account_of
from portal.accounts.models import MACHINES, digest
from portal.audit import actions as audit
from portal.core import ids, texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, conflict, escape, invalid, not_found
from portal.projects import access, actions, mails
from portal.projects import permissions as table
from portal.projects.models import Invitation, Membership, Organization, OrganizationRole, ProjectRole

VALID_FOR = datetime.timedelta(days=7)
PAUSE = datetime.timedelta(minutes=1)  # between two mails to one address
DAY = datetime.timedelta(days=1)
# Each invitation is a mail to somebody who may never have asked for one.
MOST_A_DAY, MOST_A_DAY_TO_ONE = 100, 5


@dataclass(frozen=True, slots=True)
class Issued:
    """An invitation and its link, which nobody can read again."""

    invitation: Invitation
    link: str = field(repr=False)


def visible_invitations(actor: Actor, organization: Organization) -> QuerySet[Invitation]:
    """Return the open invitations whose role the actor could give; none for who does not manage members."""
    rows = open_invitations().filter(organization=organization, role__in=givable_roles(actor, organization))
    return rows.select_related("invited_by", "organization")


def open_invitations() -> QuerySet[Invitation]:
    """Return those that can still be accepted."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())


def givable_roles(actor: Actor, organization: Organization) -> list[OrganizationRole]:
    """Return the roles that the actor may give: none above their own."""
    own = access.permissions_in_organization(actor, organization)
    if "organization.members" not in own:
        return []
    return [role for role in OrganizationRole if table.organization_permissions(role) <= own]


def access_invitation(actor: Actor, organization: Organization, public_id: str) -> Invitation:
    """Return an open invitation of an organization already reached. Raises Problem ``not_found``."""
    key = ids.decode("inv", public_id)
    found = visible_invitations(actor, organization).filter(id=key).first() if key else None
    if found is None:
        raise not_found()
    return found


def invite(
    actor: Actor, *, organization: Organization, email: str, role: str, project_roles: Mapping[str, str] | None = None
) -> Issued:
    """Ask the owner of an address in, with a role in the organization and, by slug, in some of its projects.

    Says the same whether somebody has an account with this address or not. Raises Problem: ``permission_denied`` (also
    for a role above the actor's own), ``invalid_arguments``, ``already_member``, ``already_invited``,
    ``organization_closed``, ``too_many_invitations``.
    """
    check_invitation(actor, organization, role)
    address, roles = _checked_address(email), _checked_project_roles(organization, project_roles or {})
    with transaction.atomic():
        locked = Organization.objects.select_for_update().get(pk=organization.pk)
        access.require_open(locked)
        _refuse_known(locked, address)
        _refuse_too_many(locked, address)
        token = secrets.token_urlsafe(32)
        invitation = Invitation.objects.create(
            organization=locked,
            email=address,
            role=role,
            project_roles=roles,
            digest=digest(token),
            invited_by_id=account_of(actor) if actor.kind in ("user", "service_account") else None,
            expires_at=timezone.now() + VALID_FOR,
        )
        record(actor, "organization.invite", invitation, {"role": [None, role], "project_roles": [None, roles]})
        return _issued(actor, invitation, token)


def check_invitation(actor: Actor, organization: Organization, role: str) -> None:
    """Raise a Problem unless the actor may ask somebody in with this role."""
    access.require_in_organization(actor, organization, "organization.members", on=organization.slug)
    actions.check_role(role, OrganizationRole)
    if role not in givable_roles(actor, organization):
        raise access.denied(actor, "organization.members", on=organization.slug, organization_id=organization.id)


def resend(actor: Actor, *, invitation: Invitation) -> Issued:
    """Make a new link that is good for as long as the first was, and mail it; the old one is dead from now on.

    Raises Problem: as ``invite``, ``not_found`` where it is open no more, ``too_many_invitations`` within a minute.
    """
    organization = invitation.organization
    check_invitation(actor, organization, invitation.role)
    with transaction.atomic():
        row = _locked(invitation)
        access.require_open(row.organization)
        now, token = timezone.now(), secrets.token_urlsafe(32)
        if row.expires_at - VALID_FOR > now - PAUSE:
            raise _too_many(_("It was sent a moment ago. Wait a minute, then send it again."))
        row.digest, row.expires_at = digest(token), now + VALID_FOR
        row.save(update_fields=["digest", "expires_at"])
        record(actor, "organization.resend_invitation", row)
        return _issued(actor, row, token)


def revoke(actor: Actor, *, invitation: Invitation) -> None:
    """Take an invitation back: its link is dead. Raises Problem as ``resend``; a closed organization may as well."""
    check_invitation(actor, invitation.organization, invitation.role)
    with transaction.atomic():
        row = _locked(invitation)
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        record(actor, "organization.revoke_invitation", row)


def record(actor: Actor, action: str, invitation: Invitation, changes: dict[str, list[object]] | None = None) -> None:
    """Write the audit row. The address is not in it: the invitation's id leads there, until somebody is erased."""
    audit.record(
        actor=actor,
        action=action,
        target_kind="invitation",
        target_id=invitation.id,
        target_name=invitation.organization.slug,
        organization_id=invitation.organization_id,
        changes=changes,
    )


def _locked(invitation: Invitation) -> Invitation:
    """Hold organization and invitation, in this order everywhere, and see that the invitation is open still."""
    Organization.objects.select_for_update().get(pk=invitation.organization_id)
    row = open_invitations().filter(pk=invitation.pk).select_related("organization").select_for_update(of=("self",))
    found = row.first()
    if found is None:
        raise not_found()
    return found


def _issued(actor: Actor, invitation: Invitation, token: str) -> Issued:
    link = settings.BASE_URL.rstrip("/") + reverse("invitation", args=[token])
    mails.send(
        invitation.email,
        _("%(organization)s invites you to Archipel") % {"organization": invitation.organization.name},
        "invitation",
        {"invitation": invitation, "link": link, "inviter": actor.label, "role": _label(invitation.role)},
    )
    return Issued(invitation, link)


def _label(role: str) -> str:
    return str(OrganizationRole(role).label)


def _checked_address(email: str) -> str:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        address = ""
    if not address or len(address) > 254 or address.endswith(f"@{MACHINES}") or texts.errors("/email", address):
        raise invalid(FieldError("/email", "invalid_address", _("Write one mail address, such as ada@example.org.")))
    return address


def _checked_project_roles(organization: Organization, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the roles by slug. Raises Problem that names each unknown project or role."""
    known = set(organization.projects.values_list("slug", flat=True)) if wanted else set()
    errors = []
    for slug, role in wanted.items():
        pointer = f"/project_roles/{escape(slug[:80])}"
        if slug not in known:
            errors.append(FieldError(pointer, "unknown_project", _("The organization has no such project.")))
        elif role not in ProjectRole.values:
            detail = _("Choose one of %(roles)s.") % {"roles": ", ".join(ProjectRole.values)}
            errors.append(FieldError(pointer, "choice", detail))
    if errors:
        raise invalid(*errors)
    return dict(wanted)


def _refuse_known(organization: Organization, address: str) -> None:
    """Refuse who is a member, whom the actor sees in the list anyway, and a second open invitation."""
    if Membership.objects.filter(organization=organization, user__email__iexact=address).exists():
        raise conflict("already_member", _("This address belongs to a member already. Change their roles instead."))
    unanswered = organization.invitations.filter(email__iexact=address, accepted_at=None, revoked_at=None)
    if unanswered.filter(expires_at__gt=timezone.now()).exists():
        raise conflict("already_invited", _("This address has an open invitation. Send that one again, or revoke it."))
    unanswered.update(revoked_at=timezone.now())  # one that ran out makes room for another


def _refuse_too_many(organization: Organization, address: str) -> None:
    recent = organization.invitations.filter(created_at__gt=timezone.now() - DAY)
    if recent.count() >= MOST_A_DAY or recent.filter(email__iexact=address).count() >= MOST_A_DAY_TO_ONE:
        raise _too_many(_("There were too many invitations in one day. Go on tomorrow."))


def _too_many(detail: str) -> Problem:
    return conflict("too_many_invitations", detail)
