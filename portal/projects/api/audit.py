"""The API of the audit log."""

from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.core.api.pagination import page
from portal.core.api.schema import described, query
from portal.projects import audit
from portal.projects.api.serializers import AuditAnswer, audit_answer

NEWEST_FIRST = {"at": "pk"}  # ids are ordered by time
PARAMETERS = [
    query("organization", "Of one organization, by slug or id."),
    query("project", "Of one project, by slug or id."),
    query("target", "About one thing, by id."),
    query("actor", "By one person, by id."),
    query("action", "An action, such as `project.create`, or the part before its dot."),
    query("outcome", "`done` or `denied`.", {"type": "string", "enum": list(audit.OUTCOMES)}),
    query("since", "From this time on.", {"type": "string", "format": "date-time"}),
    query("until", "Before this time.", {"type": "string", "format": "date-time"}),
]


@described("GET", "audit_list", "List audit events", answer=AuditAnswer, paged=True, parameters=PARAMETERS)
@api_view(["GET"])
def events(request: Request) -> Response:
    """List the events that the caller may read, newest first."""
    rows = audit.events(actor_of(request), request.query_params)
    return page(request, rows, audit_answer, sorts=NEWEST_FIRST, default="-at", filters=audit.FILTERS)
