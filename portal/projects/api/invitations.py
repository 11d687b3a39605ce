"""The API of invitations: an organization's own (list, make, send again, revoke), and answering one that was received.

What makes a link takes no Idempotency-Key: a kept answer would keep the link.
"""

from http import HTTPStatus

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import require_recent
from portal.core.api.pagination import known_parameters, page
from portal.core.api.schema import described
from portal.core.api.serializers import NoBody, read
from portal.projects import access, answering, inviting
from portal.projects.api.bodies import AnswerBody, InvitationBody
from portal.projects.api.shapes import (
    InvitationAnswer,
    IssuedAnswer,
    JoinedAnswer,
    invitation_answer,
    issued_answer,
)
from portal.projects.models import OrganizationRole


@described(
    "GET",
    "invitations_list",
    "List the open invitations whose role you could give",
    answer=InvitationAnswer,
    paged=True,
)
@described(
    "POST",
    "invitations_create",
    "Invite somebody; the link is in this answer and the mail alone",
    answer=IssuedAnswer,
    status=201,
    body=InvitationBody,
)
@api_view(["GET", "POST"])
def invitations(request: Request, organization: str) -> Response:
    """List what is open, or invite somebody."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    if request.method == "GET":
        return page(request, inviting.visible_invitations(actor, found), invitation_answer)
    known_parameters(request)
    body = read(request, InvitationBody)
    if body["role"] == OrganizationRole.OWNER:
        require_recent(request)
    issued = inviting.invite(
        actor,
        organization=found,
        email=body["email"],
        role=body["role"],
        project_roles=body.get("project_roles", {}),
    )
    place = f"/api/v1/organizations/{found.slug}/invitations/{issued.invitation.public_id}"
    return Response(issued_answer(issued), status=status.HTTP_201_CREATED, headers={"Location": place})


@described("GET", "invitations_get", "Show an open invitation", answer=InvitationAnswer)
@described("DELETE", "invitations_revoke", "Revoke an invitation at once", status=204)
@api_view(["GET", "DELETE"])
def invitation(request: Request, organization: str, invitation: str) -> Response:
    """Show an open invitation, or take it back."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    row = inviting.access_invitation(actor, found, invitation)
    known_parameters(request)
    if request.method == "GET":
        return Response(invitation_answer(row))
    inviting.revoke(actor, invitation=row)
    return Response(status=status.HTTP_204_NO_CONTENT)


@described(
    "POST",
    "invitations_resend",
    "Send an invitation again by a new link; the old one is dead",
    answer=IssuedAnswer,
    body=NoBody,
)
@api_view(["POST"])
def resend(request: Request, organization: str, invitation: str) -> Response:
    """Make a new link for an open invitation and mail it."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    row = inviting.access_invitation(actor, found, invitation)
    known_parameters(request)
    read(request, NoBody)
    return Response(issued_answer(inviting.resend(actor, invitation=row)))


@described(
    "POST",
    "invitations_accept",
    "Accept an invitation that was sent to your address",
    answer=JoinedAnswer,
    body=AnswerBody,
    refusals=[HTTPStatus.GONE],
)
@api_view(["POST"])
def accept(request: Request) -> Response:
    """Become a member; a link that does not work any more is 410, somebody else's 403."""
    known_parameters(request)
    found = answering.accept(actor_of(request), read(request, AnswerBody)["token"])
    return Response(JoinedAnswer(organization=found.public_id, slug=found.slug, name=found.name))


@described(
    "POST",
    "invitations_decline",
    "Decline an invitation that was sent to your address",
    status=204,
    body=AnswerBody,
    refusals=[HTTPStatus.GONE],
)
@api_view(["POST"])
def decline(request: Request) -> Response:
    """Say no; the link is dead."""
    known_parameters(request)
    answering.decline(actor_of(request), read(request, AnswerBody)["token"])
    return Response(status=status.HTTP_204_NO_CONTENT)
