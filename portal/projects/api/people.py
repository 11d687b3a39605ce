"""The API of an organization's people: all of them with all their roles; change, remove."""

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import require_recent
from portal.core.api.pagination import known_parameters, page_of
from portal.core.api.schema import described
from portal.core.api.serializers import read
from portal.projects import access, actions, belonging, members
from portal.projects.api.bodies import PersonBody
from portal.projects.api.shapes import PersonAnswer, person_answer
from portal.projects.models import OrganizationRole


@described("GET", "organization_members_list", "List who belongs to an organization", answer=PersonAnswer, paged=True)
@api_view(["GET"])
def organization_members(request: Request, organization: str) -> Response:
    """List everybody with their role in the organization and in its projects."""
    found = access.access_organization(actor_of(request), organization, "organization.people")
    return page_of(request, belonging.people(found), person_answer)


@described("GET", "organization_members_get", "Show a member of an organization", answer=PersonAnswer)
@described("PATCH", "organization_members_change", "Change a member's roles", answer=PersonAnswer, body=PersonBody)
@described("DELETE", "organization_members_remove", "Take somebody out of an organization", status=204)
@api_view(["GET", "PATCH", "DELETE"])
def organization_member(request: Request, organization: str, member: str) -> Response:
    """Show, change or remove one member."""
    actor = actor_of(request)
    permission = "organization.people" if request.method == "GET" else "organization.members"
    found = access.access_organization(actor, organization, permission)
    person = belonging.person(found, member)
    known_parameters(request)
    if request.method == "DELETE":
        actions.remove_membership(actor, organization=found, user=person.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
    if request.method == "PATCH":
        body = read(request, PersonBody)
        if body.get("role") == OrganizationRole.OWNER != person.role:
            require_recent(request)
        members.set_all_roles(
            actor,
            organization=found,
            user=person.user,
            organization_role=body.get("role"),
            project_roles=body.get("project_roles", {}),
        )
        person = belonging.person(found, member)
    return Response(person_answer(person))
