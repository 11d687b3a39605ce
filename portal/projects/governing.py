"""What an organization's owners do with the whole of it: name it, hand it over, close it and open it again."""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.accounts.actors import account_of
from portal.accounts.models import ApiToken, User
from portal.audit import actions as audit
from portal.core import texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid
from portal.projects import access, actions, mails
from portal.projects.models import Membership, Organization, OrganizationRole

SHOWN = 20  # names of what still runs in one refusal


@dataclass(frozen=True, slots=True)
class Running:
    """Something that keeps an organization from closing: its name, id and what is the case with it."""

    name: str
    public_id: str
    state: str


# Asked by ``close``; settings.CLOSING_GUARDS names them. They are asked under the organization's lock.
Guard = Callable[[Organization], Iterable[Running]]


def rename(actor: Actor, *, organization: Organization, name: str) -> Organization:
    """Give an organization another name; its slug stays. Raises Problem (denied, invalid name, closed)."""
    access.require_in_organization(actor, organization, "organization.edit", on=organization.slug)
    name = name.strip()
    errors = texts.errors("/name", name)
    if not 0 < len(name) <= 120:
        errors.append(FieldError("/name", "length", _("Give it a name of at most 120 characters.")))
    if errors:
        raise invalid(*errors)
    with transaction.atomic():
        row = _locked(organization)
        access.require_open(row)
        before, row.name = row.name, name
        if before != name:
            row.save(update_fields=["name"])
            _record(actor, "organization.edit", row, {"name": [before, name]})
    return row


def transfer(actor: Actor, *, organization: Organization, to: User) -> None:
    """Make another member the owner; who hands it over becomes an admin. Both are told by mail.

    Raises Problem: ``permission_denied``, ``invalid_arguments`` (not a member, oneself, a service account),
    ``organization_closed``, ``changed_meanwhile``.
    """
    access.require_in_organization(actor, organization, "organization.transfer", on=organization.slug)
    role = actions.role_in_organization(organization, to)
    _refuse_heir(actor, to, role)
    with transaction.atomic():
        access.require_open(actions.lock(organization, to, role))
        access.require_in_organization(actor, organization, "organization.transfer", on=organization.slug)
        _give(actor, organization, to, role, OrganizationRole.OWNER)
        giver = Membership.objects.filter(organization=organization, user_id=account_of(actor)).select_related("user")
        for membership in giver.filter(role=OrganizationRole.OWNER):
            _give(actor, organization, membership.user, membership.role, OrganizationRole.ADMIN)
            _tell(organization, membership.user, to)
        _record(actor, "organization.transfer", organization, {"owner": [None, to.public_id]})
        _tell(organization, to, to)


def still_running(organization: Organization) -> list[Running]:
    """Return all that keeps an organization from closing."""
    found: list[Running] = []
    for name in settings.CLOSING_GUARDS:
        guard: Guard = import_string(name)
        found += guard(organization)
    return found


def close(actor: Actor, *, organization: Organization, confirm: str) -> Organization:
    """Close an organization: it is read-only from now on, what is in the bin is kept until its days are over.

    Tokens of its service accounts end, open invitations are revoked. ``confirm``: its name, or slug, typed. Raises
    Problem: ``permission_denied``, ``invalid_arguments``, ``organization_in_use`` naming what still runs.
    """
    access.require_in_organization(actor, organization, "organization.close", on=organization.slug)
    if confirm.strip() not in (organization.name, organization.slug):
        detail = _("This is not the name. Type %(name)s.") % {"name": organization.name}
        raise invalid(FieldError("/confirm", "not_the_name", detail))
    with transaction.atomic():
        row = _locked(organization)
        access.require_open(row)
        _refuse_running(row)
        now = timezone.now()
        row.closed_at = now
        row.save(update_fields=["closed_at"])
        machines = User.objects.filter(machine_of=row.id)
        ended = ApiToken.objects.filter(user__in=machines, revoked_at=None).update(revoked_at=now)
        unanswered = row.invitations.filter(accepted_at=None, revoked_at=None).update(revoked_at=now)
        changes = {"closed": [False, True], "tokens_revoked": [None, ended], "invitations_revoked": [None, unanswered]}
        _record(actor, "organization.close", row, changes)
    return row


def reopen(actor: Actor, *, organization: Organization, reason: str = "") -> Organization:
    """Open an organization again, while its bin is kept: an owner's act, or an operator's with a reason.

    Raises Problem: ``permission_denied``, ``invalid_arguments`` (no reason), ``not_closed``, ``closed_too_long``.
    """
    require_reopening(actor, organization)
    is_own = "organization.close" in access.permissions_in_organization(actor, organization)
    if not is_own and not reason.strip():
        raise invalid(FieldError("/reason", "required", _("Say why; the customer will read it.")))
    with transaction.atomic():
        row = _locked(organization)
        _refuse_reopening(row)
        row.closed_at = None
        row.save(update_fields=["closed_at"])
        _record(actor, "organization.reopen", row, {"closed": [True, False]}, reason=reason)
    return row


def require_reopening(actor: Actor, organization: Organization) -> None:
    """Raise ``permission_denied`` unless the actor owns the organization or runs the platform."""
    own = access.permissions_in_organization(actor, organization)
    if not own & {"organization.close", "provider.operate"}:
        raise access.denied(actor, "organization.close", on=organization.slug, organization_id=organization.id)


def days_in_bin() -> int:
    """Return for how many days the bin is kept, and a closed organization can be opened again."""
    return int(settings.DAYS_IN_BIN)


def reopens_until(organization: Organization) -> datetime.datetime | None:
    """Return until when a closed organization can be opened again: as long as its bin is kept."""
    if organization.closed_at is None:
        return None
    return organization.closed_at + datetime.timedelta(days=days_in_bin())


def _locked(organization: Organization) -> Organization:
    return Organization.objects.select_for_update().get(pk=organization.pk)


def _refuse_heir(actor: Actor, to: User, role: str | None) -> None:
    if role is None or to.is_machine or not to.is_active or to.id == actor.id:
        raise invalid(FieldError("/member", "not_a_member", _("Choose another person who is a member.")))


def _give(actor: Actor, organization: Organization, user: User, old: str | None, new: OrganizationRole) -> None:
    Membership.objects.filter(organization=organization, user=user).update(role=new)
    actions.record(actor, "organization.set_role", user, organization, None, {"role": [old, new]})


def _tell(organization: Organization, person: User, owner: User) -> None:
    subject = _("%(organization)s has a new owner") % {"organization": organization.name}
    context = {"organization": organization, "owner": owner, "is_owner": person == owner}
    mails.send(person.email, subject, "transfer", context)


def _refuse_running(organization: Organization) -> None:
    running = still_running(organization)
    if running:
        names = ", ".join(item.name for item in running[:SHOWN]) + (", …" if len(running) > SHOWN else "")
        detail = _("These still run: %(names)s. Delete them first; the bin is kept.") % {"names": names}
        shown = [item.public_id for item in running[:SHOWN]]
        raise conflict("organization_in_use", detail, services=shown, total=len(running))


def _refuse_reopening(organization: Organization) -> None:
    until = reopens_until(organization)
    if until is None:
        raise conflict("not_closed", _("%(name)s is not closed.") % {"name": organization.name})
    if until < timezone.now():
        detail = _("%(name)s was closed too long ago: its bin is empty. Ask your operator for a new one.")
        raise conflict("closed_too_long", detail % {"name": organization.name})


def _record(
    actor: Actor, action: str, organization: Organization, changes: dict[str, object], *, reason: str = ""
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="organization",
        target_id=organization.id,
        target_name=organization.slug,
        organization_id=organization.id,
        changes=changes,
        reason=reason,
    )
