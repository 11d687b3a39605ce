"""The API of founding an organization, and of what one asks of its members."""

from rest_framework import serializers, status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import TypedDict

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import require_recent
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters
from portal.core.api.schema import described
from portal.core.api.serializers import Strict, Text, read
from portal.projects import access, founding, policy, queries
from portal.projects.api.serializers import organization_answer
from portal.projects.models import Organization


class FoundingBody(Strict):
    """The name of an organization and of its first project."""

    name = Text(max_length=120, allow_blank=False)
    project = Text(max_length=120, allow_blank=False, default="Production")


class PolicyBody(Strict):
    """What an organization is to ask of its members."""

    mfa_required = serializers.BooleanField()


class PolicyAnswer(TypedDict):
    """What an organization asks of its members, and how many would have to add a second factor."""

    mfa_required: bool
    members_without_factor: int


def found(request: Request) -> Response:
    """Make an organization with a first project, the caller its owner; ``POST /organizations`` comes here."""
    actor = actor_of(request)
    known_parameters(request)
    body = read(request, FoundingBody)

    def act() -> Response:
        project = founding.found_organization(actor, name=body["name"], project=body["project"])
        made = queries.organizations_of(actor).get(pk=project.organization_id)
        headers = {"Location": f"/api/v1/organizations/{made.public_id}"}
        return Response(organization_answer(made), status=status.HTTP_201_CREATED, headers=headers)

    return once(request, actor.id, act)


@described("GET", "organizations_policy", "Show what an organization asks of its members", answer=PolicyAnswer)
@described("PATCH", "organizations_set_policy", "Set it", answer=PolicyAnswer, body=PolicyBody)
@api_view(["GET", "PATCH"])
def organization_policy(request: Request, organization: str) -> Response:
    """Show or set whether members need a second factor."""
    actor = actor_of(request)
    asked = access.access_organization(actor, organization, "organization.edit")
    known_parameters(request)
    if request.method == "PATCH":
        require_recent(request)
        policy.set_policy(actor, asked, mfa_required=read(request, PolicyBody)["mfa_required"])
    return Response(_answer(asked))


def _answer(organization: Organization) -> PolicyAnswer:
    return PolicyAnswer(
        mfa_required=organization.mfa_required, members_without_factor=policy.without_factor(organization)
    )
