"""The API of an organization itself: rename, leave, hand over, close, reopen."""

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.accounts.reauthentication import require_recent
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import NoBody, read
from portal.core.api.shapes import moment
from portal.core.errors import FieldError, Problem
from portal.projects import access, actions, belonging, governing, queries
from portal.projects.api.bodies import CloseBody, OrganizationBody, ReopenBody, TransferBody
from portal.projects.api.serializers import OrganizationAnswer, organization_answer
from portal.projects.api.shapes import ClosingAnswer, RunningAnswer
from portal.projects.models import Organization


@described("GET", "organizations_get", "Show an organization", answer=OrganizationAnswer)
@described("PATCH", "organizations_edit", "Rename an organization", answer=OrganizationAnswer, body=OrganizationBody)
@api_view(["GET", "PATCH"])
def organization(request: Request, organization: str) -> Response:
    """Show one organization, or give it another name."""
    actor = actor_of(request)
    permission = "organization.edit" if request.method == "PATCH" else "organization.read"
    found = access.access_organization(actor, organization, permission)
    known_parameters(request)
    if request.method == "PATCH":
        governing.rename(actor, organization=found, name=read(request, OrganizationBody)["name"])
    return _answer(actor, found)


@described("POST", "organizations_leave", "Leave an organization and all its projects", status=204, body=NoBody)
@api_view(["POST"])
def leave(request: Request, organization: str) -> Response:
    """Take oneself out of an organization. Its last owner can't."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization)
    known_parameters(request)
    user = request.user
    if not isinstance(user, User) or user.is_machine:  # a service account is made and taken away by people
        raise access.denied(actor, "organization.members", on=found.slug, organization_id=found.id)
    read(request, NoBody)
    actions.remove_membership(actor, organization=found, user=user)
    return Response(status=status.HTTP_204_NO_CONTENT)


@described(
    "POST",
    "organizations_transfer",
    "Hand an organization over to another member",
    answer=OrganizationAnswer,
    body=TransferBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def transfer(request: Request, organization: str) -> Response:
    """Make a member the owner; the caller becomes an admin."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.transfer")
    require_recent(request)
    known_parameters(request)

    def act() -> Response:
        heir = _member(found, read(request, TransferBody)["member"])
        governing.transfer(actor, organization=found, to=heir)
        return _answer(actor, found)

    return once(request, actor.id, act)


@described("GET", "organizations_closing", "What keeps an organization from closing", answer=ClosingAnswer)
@described(
    "POST", "organizations_close", "Close an organization in which nothing runs", answer=ClosingAnswer, body=CloseBody
)
@api_view(["GET", "POST"])
def close(request: Request, organization: str) -> Response:
    """Show what still runs, or close the organization: read-only, and its bin is kept until its days are over."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.close")
    known_parameters(request)
    if request.method == "POST":
        require_recent(request)
        found = governing.close(actor, organization=found, confirm=read(request, CloseBody)["confirm"])
    return Response(_closing(found))


@described("POST", "organizations_reopen", "Open a closed organization again", answer=ClosingAnswer, body=ReopenBody)
@api_view(["POST"])
def reopen(request: Request, organization: str) -> Response:
    """Undo the closing, while the bin is kept."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization)
    governing.require_reopening(actor, found)
    known_parameters(request)
    reason = read(request, ReopenBody).get("reason", "")
    return Response(_closing(governing.reopen(actor, organization=found, reason=reason)))


def _answer(actor: Actor, organization: Organization) -> Response:
    row = queries.organizations_of(actor).filter(pk=organization.pk).first()
    return Response(organization_answer(row or Organization.objects.get(pk=organization.pk)))


def _member(organization: Organization, public_id: str) -> User:
    """Return the member that a body names. Raises Problem as ``belonging.person``, pointing at the field."""
    try:
        return belonging.person(organization, public_id).user
    except Problem as problem:
        problem.errors = (FieldError("/member", problem.code, problem.detail),)
        raise


def _closing(organization: Organization) -> ClosingAnswer:
    running, until = governing.still_running(organization), governing.reopens_until(organization)
    shown = [RunningAnswer(id=item.public_id, name=item.name, state=item.state) for item in running[:100]]
    return ClosingAnswer(
        closed_at=moment(organization.closed_at) if organization.closed_at else None,
        reopens_until=moment(until) if until else None,
        running=shown,
        total=len(running),
    )
