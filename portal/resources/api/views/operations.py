"""``/operations/{id}``: follow what was started, wait for its end, cancel it."""

from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.names import with_by_machine
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import choice, known_parameters, number, page
from portal.core.api.schema import IDEMPOTENCY_KEY, described, query
from portal.core.api.serializers import NoBody, read
from portal.projects.access import require
from portal.resources import actions, queries
from portal.resources.access import access_operation, access_resource
from portal.resources.api import answers
from portal.resources.api.shapes import OperationJson, operation_json
from portal.resources.models import Operation

MOST_SECONDS = 300
WAIT = query(
    "wait",
    "Seconds to hold the answer back until the operation ends.",
    {"type": "integer", "minimum": 0, "maximum": MOST_SECONDS, "default": 0},
)
STATE = query("state", "The state.", {"type": "string", "enum": list(Operation.State.values)})


@described(
    "GET", "service_operations_list", "Operations of a service", answer=OperationJson, paged=True, parameters=[STATE]
)
@api_view(["GET"])
def service_operations(request: Request, service: str) -> Response:
    """List what was done to a service, newest first."""
    resource = access_resource(actor_of(request), service, "service.read")
    state = choice(request, "state", Operation.State.values)
    rows = with_by_machine(queries.operations(resource), "requested_by")
    return page(request, rows.filter(state=state) if state else rows, operation_json, filters=("state",))


@described("GET", "operations_get", "An operation", answer=OperationJson, parameters=[WAIT])
@api_view(["GET"])
def operation(request: Request, operation: str) -> Response:
    """Return an operation; ``wait`` holds the answer until it ends or the seconds have passed."""
    found = access_operation(actor_of(request), operation)
    known_parameters(request, "wait")
    seconds = number(request, "wait", default=0, least=0, most=MOST_SECONDS)
    if seconds and found.is_open:
        found = queries.wait_for_operation(found.id, seconds)
    headers = {"Retry-After": answers.RETRY_SECONDS} if found.is_open else {}
    return Response(operation_json(found), headers=headers)


@described(
    "POST",
    "operations_cancel",
    "Cancel an operation",
    answer=OperationJson,
    status=202,
    body=NoBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def cancel(request: Request, operation: str) -> Response:
    """Cancel an order that has not come to run, or a run such as a backup."""
    actor = actor_of(request)
    found = access_operation(actor, operation)
    require(actor, found.resource.project, "service.operate", on=found.resource.name)
    known_parameters(request)
    return once(request, actor.id, lambda: _cancel(request, actor, found))


def _cancel(request: Request, actor: Actor, found: Operation) -> Response:
    read(request, NoBody)
    return answers.accepted(actions.cancel_operation(actor, found))
