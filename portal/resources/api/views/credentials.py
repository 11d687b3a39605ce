"""``/services/{id}/credentials``: list, reveal, rotate, complete. A secret is shown once per call, and audited."""

from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import require_recent
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters, page_of
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import NoBody, read
from portal.projects.access import require
from portal.resources import actions
from portal.resources.access import access_credential, access_resource
from portal.resources.api import answers
from portal.resources.api.credentials import CredentialJson, RevealJson, connections, credential_json
from portal.resources.api.credentials import credentials as logins
from portal.resources.api.shapes import OperationJson
from portal.resources.models import Child


@described("GET", "credentials_list", "Logins of a service", answer=CredentialJson, paged=True)
@api_view(["GET"])
def credentials(request: Request, service: str) -> Response:
    """List the logins of a service, the main one first. Secrets are not in it."""
    resource = access_resource(actor_of(request), service, "service.read")
    known = connections(resource)
    return page_of(request, logins(resource), lambda child: credential_json(child, known.get(child.id)))


@described("GET", "credentials_get", "A login of a service", answer=CredentialJson)
@api_view(["GET"])
def credential(request: Request, service: str, credential: str) -> Response:
    """Return one login, without its secret."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    child = access_credential(actor, resource, credential, "service.read")
    known_parameters(request)
    return Response(credential_json(child, connections(resource).get(child.id)))


@described("POST", "credentials_reveal", "Show a login's secret", answer=RevealJson, body=NoBody)
@api_view(["POST"])
def reveal(request: Request, service: str, credential: str) -> Response:
    """Show user name, password, URI and CA certificate of a login. Each call is audited."""
    actor, child = _login(request, service, credential)
    read(request, NoBody)
    return Response(dict(actions.reveal(actor, child)), headers={"Cache-Control": "no-store"})


@described(
    "POST",
    "credentials_rotate",
    "Make a successor",
    answer=OperationJson,
    status=202,
    body=NoBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def rotate(request: Request, service: str, credential: str) -> Response:
    """Make a successor of a login; both work until the exchange is completed."""
    actor, child = _login(request, service, credential)

    def act() -> Response:
        read(request, NoBody)
        return answers.accepted(actions.rotate_credential(actor, child))

    return once(request, actor.id, act)


@described(
    "POST",
    "credentials_complete",
    "Revoke the old login",
    answer=OperationJson,
    status=202,
    body=NoBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def complete(request: Request, service: str, credential: str) -> Response:
    """Revoke the old login of an exchange; either of the two may be named."""
    actor, child = _login(request, service, credential)

    def act() -> Response:
        read(request, NoBody)
        return answers.accepted(actions.complete_rotation(actor, child))

    return once(request, actor.id, act)


def _login(request: Request, service: str, credential: str) -> tuple[Actor, Child]:
    """Reach a login for a caller who may see and exchange secrets, and has lately proven who they are."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    child = access_credential(actor, resource, credential, "service.read")
    require(actor, resource.project, "service.secrets", on=child.name)
    require_recent(request)
    known_parameters(request)
    return actor, child
