"""What organizations hold about people: roles, invitations, requests for more. Asked through ``core.personal``."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from portal.core.personal import Holder, Person, scrub
from portal.projects.models import Invitation, Membership, OrganizationRole, ProjectMembership, QuotaRequest


def collect(person: Person) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Return where somebody belongs to, who invited them and whom they invited, and what they asked for."""
    requests = QuotaRequest.objects.filter(requested_by=person.id)
    made = Invitation.objects.filter(invited_by=person.id)
    columns = {"to": F("organization__slug")}
    return {
        "memberships": Membership.objects.filter(user=person.id).values("role", "created_at", **columns),
        "project_memberships": ProjectMembership.objects.filter(user=person.id).values(
            "role", "created_at", to=F("project__slug")
        ),
        "invitations": _to(person).values("email", "role", "created_at", "expires_at", "accepted_at", **columns),
        "invitations_by_you": made.values("role", "created_at", "accepted_at", **columns),
        "quota_requests": requests.values("resource", "limit", "reason", "state", "created_at", **columns),
    }


def erase(person: Person) -> None:
    """End all roles, and let no invitation or request tell an address."""
    ProjectMembership.objects.filter(user=person.id).delete()
    Membership.objects.filter(user=person.id).delete()
    _to(person).filter(accepted_at=None).delete()
    _to(person).update(email=person.erased)
    for field in ("reason", "answer"):
        scrub(QuotaRequest.objects.all(), field, person)


def last_owner(person: Person) -> list[str]:
    """Return the organizations that would be left without an owner, and what to do about each."""
    others = Membership.objects.filter(
        organization=OuterRef("organization"), role=OrganizationRole.OWNER, user__is_active=True
    ).exclude(user=person.id)
    own = Membership.objects.filter(user=person.id, role=OrganizationRole.OWNER, organization__closed_at=None)
    names = own.filter(~Exists(others)).values_list("organization__name", flat=True)
    words = _("You are the last owner of %(name)s: make somebody else an owner, or close it.")
    return [words % {"name": name} for name in names]


def _to(person: Person) -> Any:
    wanted = Q()
    for address in person.addresses:
        wanted |= Q(lowered=address)
    return Invitation.objects.annotate(lowered=Lower("email")).filter(wanted)


HOLDER = Holder(collect=collect, erase=erase, obstacles=last_owner)
