"""The API of the caller, organizations and projects."""

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters, page
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import read
from portal.core.errors import FieldError, Problem, not_found
from portal.projects import access, actions, queries
from portal.projects.api import founding
from portal.projects.api.serializers import (
    MeAnswer,
    OrganizationAnswer,
    ProjectAnswer,
    ProjectBody,
    me_answer,
    organization_answer,
    project_answer,
)
from portal.projects.models import Organization

BY_SLUG = {"slug": "slug", "created_at": "created_at"}


@described("GET", "me", "Who you are, and where you belong to", answer=MeAnswer)
@api_view(["GET"])
def me(request: Request) -> Response:
    """Say who asks, with organizations and projects and the role in each."""
    known_parameters(request)
    actor, user = actor_of(request), request.user
    if not isinstance(user, User):
        raise not_found()
    organizations, projects = list(queries.organizations_of(actor)), list(queries.projects_of(actor))
    return Response(me_answer(user, actor, organizations, projects))


@described("GET", "organizations_list", "List your organizations", answer=OrganizationAnswer, paged=True)
@described(
    "POST",
    "organizations_found",
    "Found an organization with its first project, and own it",
    answer=OrganizationAnswer,
    status=201,
    body=founding.FoundingBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def organizations(request: Request) -> Response:
    """List what the caller is a member of, or found one; the provider's people too see no others here."""
    if request.method == "POST":
        return founding.found(request)
    rows = queries.organizations_of(actor_of(request))
    return page(request, rows, organization_answer, sorts=BY_SLUG, default="slug")


@described("GET", "projects_list", "List your projects", answer=ProjectAnswer, paged=True)
@described(
    "POST",
    "projects_create",
    "Make a project",
    answer=ProjectAnswer,
    status=201,
    body=ProjectBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def projects(request: Request) -> Response:
    """List the caller's projects, or make one."""
    actor = actor_of(request)
    if request.method == "GET":
        return page(request, queries.projects_of(actor), project_answer, sorts=BY_SLUG, default="slug")
    known_parameters(request)
    body = read(request, ProjectBody)
    organization = _organization(actor, body["organization"])

    def act() -> Response:
        made = actions.create_project(actor, organization=organization, name=body["name"], slug=body["slug"])
        headers = {"Location": f"/api/v1/projects/{made.public_id}"}
        made = queries.projects_of(actor).filter(pk=made.pk).first() or made
        return Response(project_answer(made), status=status.HTTP_201_CREATED, headers=headers)

    return once(request, actor.id, act)


def _organization(actor: Actor, ref: str) -> Organization:
    """Return the organization that a body names. Raises Problem as ``access_organization``, pointing at the field."""
    try:
        return access.access_organization(actor, ref, "project.create")
    except Problem as problem:
        problem.errors = (FieldError("/organization", problem.code, problem.detail),)
        raise


@described("GET", "projects_get", "Show a project", answer=ProjectAnswer)
@api_view(["GET"])
def project(request: Request, project: str) -> Response:
    """Show one project."""
    known_parameters(request)
    actor = actor_of(request)
    found = access.access_project(actor, project)
    return Response(project_answer(queries.projects_of(actor).filter(pk=found.pk).first() or found))
