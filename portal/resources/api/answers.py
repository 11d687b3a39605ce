"""How actions answer: 202 with the operation and where to follow it, or the service with its etag."""

from http import HTTPStatus

from rest_framework.response import Response

from portal.resources.api.shapes import operation_json, service_json
from portal.resources.models import Operation, Resource

RETRY_SECONDS = "1"


def accepted(operation: Operation) -> Response:
    """Return the operation that was started; ``Location`` is where it is followed."""
    headers = {"Location": f"/api/v1/operations/{operation.public_id}", "Retry-After": RETRY_SECONDS}
    return Response(operation_json(operation), status=HTTPStatus.ACCEPTED, headers=headers)


def service(resource: Resource) -> Response:
    """Return a service with its ETag."""
    return Response(service_json(resource), headers={"ETag": resource.etag})
