"""Tells webhooks and people what has happened to members, invitations and quotas; called where it is recorded."""

from typing import Any

from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.notify import actions as notify
from portal.notify.audience import audience
from portal.projects.models import Invitation, Organization, Project, QuotaRequest

MEMBERS = "organization.members"  # who is told of members: those who may change them


def roles_changed(
    actor: Actor, action: str, user: User, organization: Organization, project: Project | None, changes: dict[str, Any]
) -> None:
    """Somebody's role in an organization or a project is another one, or they are out of it."""
    old, new = changes.get("role", [None, None])
    is_out = action == "organization.remove_member"
    data = {"member": user.public_id, "role": new, "previous_role": old, "organization": organization.slug}
    notify.emit(
        "member.removed" if is_out else "member.added",
        organization_id=organization.id,
        project_id=project.id if project else None,
        subject=user.public_id,
        data=data,
    )
    if user.is_machine or project is not None:
        return
    kind = "member.removed" if is_out else "role.changed" if old else "member.added"
    params = {"organization": organization.name, "role": str(new or "")}
    link = "" if is_out else f"/organizations/{organization.public_id}"
    notify.tell([user.id], kind, params=params, link=link, organization_id=organization.id, but=actor.id)


def accepted(actor: Actor, invitation: Invitation) -> None:
    """Somebody has said yes to an invitation."""
    organization = invitation.organization
    subject = invitation.public_id
    data = {"role": invitation.role, "organization": organization.slug}
    notify.emit("invitation.accepted", organization_id=organization.id, subject=subject, data=data)
    people = [invitation.invited_by_id] if invitation.invited_by_id else audience().people(organization.id, MEMBERS)
    notify.tell(
        people,
        "invitation.accepted",
        params={"organization": organization.name, "person": actor.label},
        link=f"/organizations/{organization.public_id}/members",
        organization_id=organization.id,
        but=actor.id,
    )


def quota_answered(request: QuotaRequest, *, granted: bool, limit: int) -> None:
    """An operator has answered a request for quota."""
    organization = request.organization
    data = {
        "resource": request.resource,
        "granted": granted,
        "limit": limit if granted else None,
        "asked": request.limit,
    }
    notify.emit(
        "quota.answered",
        organization_id=organization.id,
        project_id=request.project_id,
        subject=request.public_id,
        data=data,
    )
    asked_by = request.requested_by
    is_person = asked_by is not None and not asked_by.is_machine
    people = [asked_by.id] if asked_by and is_person else audience().people(organization.id, MEMBERS)
    answer = _("granted, %(limit)d") % {"limit": limit} if granted else _("refused")
    notify.tell(
        people,
        "quota.answered",
        params={"resource": request.resource, "answer": answer},
        link=f"{_place(request)}/quotas",
        organization_id=organization.id,
    )


def quota_requested(request: QuotaRequest) -> None:
    """Somebody asks for more: the provider's operators are told where to answer."""
    operators = User.objects.filter(is_operator=True, is_active=True, erased_at=None).values_list("id", flat=True)
    notify.tell(
        list(operators),
        "quota.requested",
        params={"organization": request.organization.name, "resource": request.resource},
        link=f"/admin/projects/quotarequest/{request.pk}/change/",
        but=request.requested_by_id,
    )


def _place(request: QuotaRequest) -> str:
    if request.project:
        return f"/projects/{request.project.slug}"
    return f"/organizations/{request.organization.slug}"
