"""``/services/{id}/{kind}``: the parts that an offering declares (databases, users, backups …) and their verbs."""

from django.http import FileResponse
from django.http.response import HttpResponseBase
from rest_framework.decorators import api_view
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters, page
from portal.core.api.schema import BINARY, IDEMPOTENCY_KEY, described
from portal.core.api.serializers import NoBody, read
from portal.core.api.shapes import moment
from portal.core.errors import not_found
from portal.core.offerings import ChildKind
from portal.projects.access import require
from portal.resources import actions, queries
from portal.resources.access import access_child, access_resource, kind_of
from portal.resources.actions.downloading import open_artifact
from portal.resources.actions.sharing import share
from portal.resources.api import answers
from portal.resources.api.serializers import ChildBody, ChildEditBody, ManyBody
from portal.resources.api.shapes import ChildJson, DownloadLinkJson, OperationJson, child_json
from portal.resources.models import Child, Resource

FILE = "application/octet-stream"
SORTS = {"created_at": "pk", "name": "name"}


@described("GET", "children_list", "Parts of a service, of one kind", answer=ChildJson, paged=True)
@described(
    "POST",
    "children_create",
    "Make a part",
    answer=OperationJson,
    status=202,
    body=ChildBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def children(request: Request, service: str, kind: str) -> Response:
    """List the parts of one kind, oldest first, or make one."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    declared = kind_of(resource, kind)
    if request.method == "POST":
        _require_verb(declared, "create")
        require(actor, resource.project, "service.operate", on=resource.name)
        known_parameters(request)
        return once(request, actor.id, lambda: _create(request, actor, resource, declared))
    rows = queries.children(resource, declared.slug)
    return page(request, rows, lambda child: _json(child, resource), sorts=SORTS, default="created_at")


def _create(request: Request, actor: Actor, resource: Resource, kind: ChildKind) -> Response:
    body = read(request, ChildBody)
    operation = actions.create_child(actor, resource, kind, name=body.get("name", ""), spec=body.get("spec", {}))
    return answers.accepted(operation)


def _json(child: Child, resource: Resource) -> ChildJson:
    child.resource = resource
    return child_json(child)


@described(
    "POST",
    "children_change_many",
    "Make, change and take away many parts",
    answer=OperationJson,
    status=202,
    body=ManyBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def many(request: Request, service: str, kind: str) -> Response:
    """Change many parts in one operation, all or none: for kinds of which a service has thousands, such as devices."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    declared = kind_of(resource, kind)
    if not declared.is_batch:
        raise not_found()
    require(actor, resource.project, "service.operate", on=resource.name)
    known_parameters(request)
    return once(request, actor.id, lambda: _change_many(request, actor, resource, declared))


def _change_many(request: Request, actor: Actor, resource: Resource, kind: ChildKind) -> Response:
    body = read(request, ManyBody)
    wishes = [actions.Wish(entry["name"], entry.get("spec", {})) for entry in body.get("put", [])]
    operation = actions.change_many(actor, resource, kind, put=wishes, delete=body.get("delete", []))
    return answers.accepted(operation)


@described("GET", "children_get", "A part of a service", answer=ChildJson)
@described(
    "PATCH",
    "children_edit",
    "Change a part's settings",
    answer=ChildJson,
    also={202: OperationJson},
    body=ChildEditBody,
)
@described("DELETE", "children_delete", "Take a part away", answer=OperationJson, status=202)
@api_view(["GET", "PATCH", "DELETE"])
def child(request: Request, service: str, kind: str, child: str) -> Response:
    """Read, change or delete one part."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    part = access_child(actor, resource, kind, child, "service.read")
    if request.method == "GET":
        known_parameters(request)
        return Response(child_json(part))
    _require_verb(kind_of(resource, kind), "update" if request.method == "PATCH" else "delete")
    require(actor, resource.project, "service.operate", on=part.name)
    known_parameters(request)
    if request.method == "DELETE":
        return answers.accepted(actions.delete_child(actor, part))
    operation = actions.edit_child(actor, part, spec=read(request, ChildEditBody).get("spec", {}))
    return answers.accepted(operation) if operation else Response(child_json(part))


@described(
    "POST",
    "children_cancel",
    "Stop a run on its way",
    answer=OperationJson,
    status=202,
    body=NoBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def cancel(request: Request, service: str, kind: str, child: str) -> Response:
    """Stop a run, such as a backup, that is on its way."""
    actor, part = _part(request, service, kind, child, "cancel")
    return once(request, actor.id, lambda: _cancel(request, actor, part))


def _cancel(request: Request, actor: Actor, part: Child) -> Response:
    read(request, NoBody)
    return answers.accepted(actions.cancel_child(actor, part))


@described(
    "POST",
    "children_retry",
    "Run once more",
    answer=OperationJson,
    status=202,
    body=NoBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def retry(request: Request, service: str, kind: str, child: str) -> Response:
    """Run a failed or cancelled run once more."""
    actor, part = _part(request, service, kind, child, "retry")
    return once(request, actor.id, lambda: _retry(request, actor, part))


def _retry(request: Request, actor: Actor, part: Child) -> Response:
    read(request, NoBody)
    return answers.accepted(actions.retry_child(actor, part))


@described("GET", "children_download", "The backup itself", answer=BINARY, media=FILE)
@api_view(["GET"])
def download(request: Request, service: str, kind: str, child: str) -> HttpResponseBase:
    """Stream what a run made, such as a backup's dump. Audited; it takes the right to see secrets."""
    if request.META["REQUEST_METHOD"] == "HEAD":
        raise MethodNotAllowed("HEAD")  # a look at the headers is no download, and not recorded as one
    actor, part = _part(request, service, kind, child, "download", "service.secrets")
    artifact = open_artifact(actor, part)
    headers = {"Cache-Control": "private, no-store"}
    return FileResponse(
        artifact.stream, as_attachment=True, filename=artifact.filename, content_type=FILE, headers=headers
    )


@described("POST", "children_link", "A link to the backup", answer=DownloadLinkJson, body=NoBody)
@api_view(["POST"])
def link(request: Request, service: str, kind: str, child: str) -> Response:
    """Make a link to what a run made that works for ten minutes without a token. Audited, as each use of it is."""
    actor, part = _part(request, service, kind, child, "download", "service.secrets")
    read(request, NoBody)
    made = share(actor, part)
    answer = {"url": request.build_absolute_uri(made.path), "expires_at": moment(made.expires_at)}
    return Response(answer, headers={"Cache-Control": "no-store"})


def _part(
    request: Request, service: str, kind: str, child: str, verb: str, permission: str = "service.operate"
) -> tuple[Actor, Child]:
    """Reach a part whose kind has a verb, for a caller who has the right to it."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    part = access_child(actor, resource, kind, child, "service.read")
    _require_verb(kind_of(resource, kind), verb)
    require(actor, resource.project, permission, on=part.name)
    known_parameters(request)
    return actor, part


def _require_verb(kind: ChildKind, verb: str) -> None:
    if verb not in kind.verbs:
        raise not_found()
