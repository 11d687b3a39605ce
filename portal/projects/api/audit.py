"""The API of the audit log."""

from django.http.response import HttpResponseBase
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.core.api.pagination import known_parameters, page
from portal.core.api.schema import described, query
from portal.projects import audit, audit_files
from portal.projects.api.serializers import AuditAnswer, audit_answer
from portal.projects.audit_filters import PERIODS

NEWEST_FIRST = {"at": "pk"}  # ids are ordered by time
PARAMETERS = [
    query("organization", "Of one organization, by slug or id."),
    query("project", "Of one project, by slug or id."),
    query("target", "About one thing, by id."),
    query("target_kind", "About things of a kind, such as `service` or `user`."),
    query("actor", "By one person or service account: an id or a mail address; or `provider`, or `platform`."),
    query("action", "An action, such as `project.create`, or the part before its dot."),
    query("outcome", "`done` or `denied`.", {"type": "string", "enum": list(audit.OUTCOMES)}),
    query("period", "The last hours or days, where `since` is not given.", {"type": "string", "enum": [*PERIODS]}),
    query("since", "From this time on.", {"type": "string", "format": "date-time"}),
    query("until", "Before this time.", {"type": "string", "format": "date-time"}),
]
FILE = [
    query("format", "`csv` or `jsonl`.", {"type": "string", "enum": [*audit_files.FORMATS], "default": "csv"}),
    query("cursor", "The id of the last row of the file before; `Link` says where to go on."),
]
LINES = {"type": "string", "description": "The rows, newest first; at most 50,000 in a file."}
HEAD = {"type": "string", "description": "A head file: keep it elsewhere, for `manage.py verifyaudit --head FILE`."}


@described("GET", "audit_list", "List audit events", answer=AuditAnswer, paged=True, parameters=PARAMETERS)
@api_view(["GET"])
def events(request: Request) -> Response:
    """List the events that the caller may read, newest first."""
    rows = audit.events(actor_of(request), request.query_params)
    return page(request, rows, audit_answer, sorts=NEWEST_FIRST, default="-at", filters=audit.FILTERS)


@described("GET", "audit_get", "Show an audit event", answer=AuditAnswer)
@api_view(["GET"])
def event(request: Request, event: str) -> Response:
    """Show one event that the caller may read."""
    known_parameters(request)
    return Response(audit_answer(audit.access_event(actor_of(request), event)))


@described(
    "GET",
    "audit_export",
    "Export audit events",
    answer=LINES,
    media=("text/csv", "application/jsonl"),
    parameters=[*PARAMETERS, *FILE],
)
@api_view(["GET"])
def export(request: Request) -> HttpResponseBase:
    """Return what the filters keep as a file. That it was taken along is recorded in the log itself."""
    known_parameters(request, *audit.FILTERS, *audit_files.CHOSEN)
    return audit_files.export(actor_of(request), request, request.query_params.dict())


@described(
    "GET",
    "audit_head",
    "Download the head of the audit chain",
    answer=HEAD,
    parameters=[query("organization", "Of one organization, by slug or id.")],
)
@api_view(["GET"])
def head(request: Request) -> HttpResponseBase:
    """Return how far the organization's chain is sealed, as a file that `verifyaudit --head` takes."""
    known_parameters(request, "organization")
    return audit_files.head_file(actor_of(request), request.query_params)
