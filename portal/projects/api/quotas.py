"""The API of limits: what is in use, and requests for more; of a project, and of an organization as a whole."""

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import TypedDict

from portal.accounts.actors import actor_of
from portal.accounts.names import account_id, with_by_machine
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters, page, page_of
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import NoBody, Strict, Text, Whole, read
from portal.core.api.shapes import Moment, moment, plain_number, public_id
from portal.projects import access, quotas, usage
from portal.projects.models import Organization, Project, QuotaRequest

NEWEST_FIRST = {"created_at": "pk"}  # ids are ordered by time


class QuotaRequestBody(Strict):
    """Asks for a higher limit; an operator of the provider answers."""

    resource = Text(max_length=80, allow_blank=False)
    limit = Whole(min_value=1, max_value=quotas.MOST)
    reason = Text(max_length=quotas.LONGEST_REASON, allow_blank=False)


class QuotaAnswer(TypedDict):
    """How much of a resource is in use; ``limit`` is null where there is none."""

    resource: str
    name: str
    used: float
    limit: int | None


class QuotaRequestAnswer(TypedDict):
    """A request for a higher limit, and what the provider said."""

    id: str
    organization: str
    project: str | None
    resource: str
    limit: int
    reason: str
    state: str
    answer: str
    requested_by: str | None
    created_at: Moment
    answered_at: Moment | None


def quota_answer(line: usage.Line) -> QuotaAnswer:
    return QuotaAnswer(resource=line.resource, name=line.name, used=plain_number(line.used), limit=line.limit)


def request_answer(row: QuotaRequest) -> QuotaRequestAnswer:
    return QuotaRequestAnswer(
        id=row.public_id,
        organization=row.organization.public_id,
        project=public_id("proj", row.project_id),
        resource=row.resource,
        limit=row.limit,
        reason=row.reason,
        state=row.state,
        answer=row.answer,
        requested_by=account_id(row.requested_by_id, by_machine=getattr(row, "by_machine", None)),
        created_at=moment(row.created_at),
        answered_at=moment(row.answered_at),
    )


def _list(request: Request, organization: Organization, project: Project | None) -> Response:
    return page_of(request, usage.lines_of(organization, project), quota_answer)


def _requests(request: Request, actor: Actor, organization: Organization, project: Project | None) -> Response:
    """List the requests of a place, or make one."""
    if request.method == "GET":
        rows = with_by_machine(quotas.requests_of(organization, project), "requested_by_id")
        return page(request, rows, request_answer, sorts=NEWEST_FIRST, default="-created_at")
    known_parameters(request)
    body = read(request, QuotaRequestBody)

    def act() -> Response:
        made = quotas.request_more(actor, organization=organization, project=project, **body)
        return Response(request_answer(made), status=status.HTTP_201_CREATED)

    return once(request, actor.id, act)


def _withdraw(request: Request, actor: Actor, row: QuotaRequest) -> Response:
    known_parameters(request)
    read(request, NoBody)
    quotas.withdraw(actor, request=row)
    row.refresh_from_db()
    return Response(request_answer(row))


@described("GET", "project_quotas", "List a project's limits and what is in use", answer=QuotaAnswer, paged=True)
@api_view(["GET"])
def project_quotas(request: Request, project: str) -> Response:
    """List what a project may have and has."""
    found = access.access_project(actor_of(request), project)
    return _list(request, found.organization, found)


@described("GET", "project_quota_requests", "List requests for more", answer=QuotaRequestAnswer, paged=True)
@described(
    "POST",
    "project_quota_requests_create",
    "Ask for more in a project",
    answer=QuotaRequestAnswer,
    status=201,
    body=QuotaRequestBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def project_quota_requests(request: Request, project: str) -> Response:
    """List a project's requests, or make one."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "quota.request" if request.method == "POST" else "project.read")
    return _requests(request, actor, found.organization, found)


@described("POST", "project_quota_requests_withdraw", "Take a request back", answer=QuotaRequestAnswer, body=NoBody)
@api_view(["POST"])
def project_quota_request_withdraw(request: Request, project: str, quota_request: str) -> Response:
    """Withdraw an open request of a project."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "quota.request")
    return _withdraw(request, actor, quotas.access_request(found.organization, found, quota_request))


@described(
    "GET", "organization_quotas", "List an organization's limits and what is in use", answer=QuotaAnswer, paged=True
)
@api_view(["GET"])
def organization_quotas(request: Request, organization: str) -> Response:
    """List what an organization may have and has in all its projects together."""
    return _list(request, access.access_organization(actor_of(request), organization, "costs.read"), None)


@described("GET", "organization_quota_requests", "List requests for more", answer=QuotaRequestAnswer, paged=True)
@described(
    "POST",
    "organization_quota_requests_create",
    "Ask for more in an organization",
    answer=QuotaRequestAnswer,
    status=201,
    body=QuotaRequestBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def organization_quota_requests(request: Request, organization: str) -> Response:
    """List an organization's own requests, or make one."""
    actor = actor_of(request)
    permission = "quota.request" if request.method == "POST" else "costs.read"
    return _requests(request, actor, access.access_organization(actor, organization, permission), None)


@described(
    "POST", "organization_quota_requests_withdraw", "Take a request back", answer=QuotaRequestAnswer, body=NoBody
)
@api_view(["POST"])
def organization_quota_request_withdraw(request: Request, organization: str, organization_request: str) -> Response:
    """Withdraw an open request of an organization."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "quota.request")
    return _withdraw(request, actor, quotas.access_request(found, None, organization_request))
