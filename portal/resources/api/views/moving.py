"""``POST /services/{id}/move``: to another project of the organization, done when the answer comes."""

from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import read
from portal.core.errors import FieldError, Problem
from portal.projects.access import access_project, require
from portal.projects.models import Project
from portal.resources import moving
from portal.resources.access import access_resource
from portal.resources.api import answers
from portal.resources.api.serializers import MoveBody
from portal.resources.api.shapes import ServiceJson


@described(
    "POST",
    "services_move",
    "Move the service to another project of its organization",
    answer=ServiceJson,
    body=MoveBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def move(request: Request, service: str) -> Response:
    """Move a service; data, address, credentials and history stay as they are."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    require(actor, resource.project, "service.delete", on=resource.name)
    known_parameters(request)

    def act() -> Response:
        target = _target(actor, read(request, MoveBody)["project"])
        return answers.service(moving.move(actor, resource, project=target))

    return once(request, actor.id, act)


def _target(actor: Actor, ref: str) -> Project:
    """Return the project that a body names. Raises Problem as ``access_project``, pointing at the field."""
    try:
        return access_project(actor, ref, "service.create")
    except Problem as problem:
        problem.errors = (FieldError("/project", problem.code, problem.detail),)
        raise
