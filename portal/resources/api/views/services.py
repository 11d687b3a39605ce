"""``/services`` and ``/projects/{project}/services``: list, order, read, edit, delete."""

from django.utils.translation import gettext as _
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import require_recent
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import choice, known_parameters, page, parameter
from portal.core.api.schema import IDEMPOTENCY_KEY, IF_MATCH, described, query
from portal.core.api.serializers import read
from portal.core.errors import invalid
from portal.projects.access import access_project, require
from portal.projects.models import Project
from portal.resources import actions, queries
from portal.resources.access import access_resource
from portal.resources.api import answers, filters
from portal.resources.api.serializers import EditBody, OrderBody
from portal.resources.api.shapes import OperationJson, ServiceJson, service_json
from portal.resources.models import DeletionPolicy, Resource

POLICY = query(
    "deletion_policy",
    "`bin` keeps a final backup and can be undone for some days; `wipe` removes everything at once.",
    {"type": "string", "enum": list(DeletionPolicy.values), "default": "bin"},
)


@described(
    "GET",
    "services_list",
    "Services of all your projects",
    answer=ServiceJson,
    paged=True,
    parameters=filters.PARAMETERS,
)
@api_view(["GET"])
def all_services(request: Request) -> Response:
    """List the services of all projects that you may see."""
    rows = filters.filtered(request, actor_of(request))
    return page(request, rows, service_json, sorts=filters.SORTS, filters=filters.FILTERS)


@described(
    "GET",
    "project_services_list",
    "Services of a project",
    answer=ServiceJson,
    paged=True,
    parameters=filters.PARAMETERS,
)
@described(
    "POST",
    "services_order",
    "Order a service",
    answer=OperationJson,
    status=202,
    body=OrderBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def project_services(request: Request, project: str) -> Response:
    """List the services of a project, or order one; the operation names the new service."""
    actor = actor_of(request)
    if request.method == "POST":
        place = access_project(actor, project, "service.read")
        require(actor, place, "service.create", on=place.slug)
        known_parameters(request)
        return once(request, actor.id, lambda: _order(request, actor, place))
    rows = filters.filtered(request, actor, access_project(actor, project, "service.read"))
    return page(request, rows, service_json, sorts=filters.SORTS, filters=filters.FILTERS)


def _order(request: Request, actor: Actor, project: Project) -> Response:
    body = read(request, OrderBody)
    acknowledge = tuple(body.pop("acknowledge", ()))
    order = actions.OrderRequest(**body, acknowledge=acknowledge)
    return answers.accepted(actions.order(actor, project=project, request=order))


@described("GET", "services_get", "A service", answer=ServiceJson)
@described(
    "PATCH",
    "services_edit",
    "Change name, description, tags, protection, networks, maintenance or settings",
    answer=ServiceJson,
    also={202: OperationJson},
    body=EditBody,
    parameters=[IF_MATCH],
)
@described("DELETE", "services_delete", "Delete a service", answer=OperationJson, status=202, parameters=[POLICY])
@api_view(["GET", "PATCH", "DELETE"])
def service(request: Request, service: str) -> Response:
    """Read, change or delete one service."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    if request.method == "PATCH":
        return _edit(request, actor, resource)
    if request.method == "DELETE":
        return _delete(request, actor, resource)
    known_parameters(request)
    return answers.service(resource)


def _edit(request: Request, actor: Actor, resource: Resource) -> Response:
    require(actor, resource.project, "service.operate", on=resource.name)
    known_parameters(request)
    body = read(request, EditBody)
    operation = actions.edit(actor, resource, changes=actions.Edit(**body), if_match=_if_match(request, resource))
    return answers.accepted(operation) if operation else answers.service(_fresh(resource))


def _if_match(request: Request, resource: Resource) -> str | None:
    """Return the etag that the caller counts on; of several the one that is right, which is checked under the lock."""
    given = request.headers.get("If-Match")
    etags = [etag.strip() for etag in (given or "").split(",")]
    return resource.etag if resource.etag in etags else given


def _delete(request: Request, actor: Actor, resource: Resource) -> Response:
    require(actor, resource.project, "service.delete", on=resource.name)
    known_parameters(request, "deletion_policy")
    if request.query_params.get("deletion_policy") == "":
        raise invalid(parameter("deletion_policy", "invalid_choice", _("Choose bin or wipe.")))
    policy = choice(request, "deletion_policy", DeletionPolicy.values, default=DeletionPolicy.BIN)
    if policy == DeletionPolicy.WIPE:
        require_recent(request)
    return answers.accepted(actions.delete(actor, resource, policy=policy))


def _fresh(resource: Resource) -> Resource:
    """Return the row as the action left it."""
    rows = Resource.objects.select_related("project", "region", "cluster").filter(id=resource.id)
    return queries.with_open_operation(rows).get()
