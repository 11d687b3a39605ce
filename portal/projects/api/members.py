"""The API of a project's members: list, add, change roles, remove."""

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import require_recent
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters, page_of
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import read
from portal.projects import access, actions, members, queries
from portal.projects.api.serializers import MemberAnswer, MemberBody, RolesBody, member_answer
from portal.projects.models import OrganizationRole


@described("GET", "members_list", "List who belongs to a project", answer=MemberAnswer, paged=True)
@described(
    "POST",
    "members_add",
    "Give somebody of the organization a role in the project",
    answer=MemberAnswer,
    status=201,
    body=MemberBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def project_members(request: Request, project: str) -> Response:
    """List members, or add one of the organization's people; anybody else is invited (``POST …/invitations``)."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "project.members" if request.method == "POST" else "project.read")
    if request.method == "GET":
        everybody = "project.members" in access.permissions_in(actor, found)
        return page_of(request, queries.members_of(found, everybody=everybody), member_answer)
    known_parameters(request)
    body = read(request, MemberBody)
    members.find_member(actor, project=found, email=body["email"])

    def act() -> Response:
        user = members.add_member(actor, project=found, **body)
        return Response(member_answer(queries.member_of(found, user)), status=status.HTTP_201_CREATED)

    return once(request, actor.id, act)


@described("PATCH", "members_change", "Change somebody's roles", answer=MemberAnswer, body=RolesBody)
@described("DELETE", "members_remove", "Take somebody's role in the project away", status=204)
@api_view(["PATCH", "DELETE"])
def project_member(request: Request, project: str, member: str) -> Response:
    """Change a member's roles, or take the one in this project away: whoever has it stays in the organization.

    ``DELETE /organizations/{organization}/members/{member}`` takes somebody out of that and all its projects. Who
    belongs to every project by their role in the organization is refused here (``belongs_by_organization``).
    """
    actor = actor_of(request)
    found = access.access_project(actor, project, "project.members" if request.method == "PATCH" else "project.read")
    user = queries.access_member(found, member)
    known_parameters(request)
    if request.method == "DELETE":
        actions.remove_from_project(actor, project=found, user=user)
        return Response(status=status.HTTP_204_NO_CONTENT)
    body = read(request, RolesBody)
    project_role = (body["project_role"] or "") if "project_role" in body else None
    role = body.get("organization_role")
    if role == OrganizationRole.OWNER != actions.role_in_organization(found.organization, user):
        require_recent(request)
    members.set_roles(actor, project=found, user=user, organization_role=role, project_role=project_role)
    return Response(member_answer(queries.member_of(found, user)))
