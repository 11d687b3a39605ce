"""The page of the audit log."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.accounts.actors import actor_of
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.core.counting import total_of
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, audit

PAGE = 50
MOST = 200  # choices in a filter; more are reached by address


@signed_in
@require_safe
def audit_list(request: HttpRequest) -> HttpResponse:
    """List audit events with filters, newest first, and what each changed."""
    actor, errors, status = actor_of(request), {}, 200
    try:
        rows = audit.events(actor, request.GET.dict())
    except Problem as problem:
        if not problem.errors:
            raise
        errors, status = {error.pointer.lstrip("?"): error.detail for error in problem.errors}, 422
        rows = AuditEvent.objects.none()
    page = _page(rows, request.GET.get("cursor", ""))
    context = {
        "page": page,
        "lines": page["items"],  # in a template ``page.items`` is the method where ``page`` is a dictionary
        "errors": errors,
        "filters": {name: request.GET.get(name, "") for name in audit.FILTERS},
        "is_filtered": any(request.GET.get(name) for name in audit.FILTERS),
        "organizations": access.visible_organizations(actor, "audit.read")[:MOST],
        "projects": access.visible_projects(actor, "audit.read")[:MOST],
    }
    return render(request, "audit/audit_list.html", context, status=status)


def _page(rows: Any, cursor: str) -> dict[str, Any]:
    """Return one page of lines and where the next one begins; a cursor is the id of the last line before it."""
    key = ids.decode("aud", cursor)
    found = list(rows.filter(pk__lt=key)[: PAGE + 1] if key else rows[: PAGE + 1])
    lines = [
        {
            "event": event,
            "actor": audit.actor_name(event),
            "target": audit.target_name(event),
            "target_id": audit.public_target(event),
            "changes": [(name, *_old_and_new(value)) for name, value in event.changes.items()],
        }
        for event in found[:PAGE]
    ]
    more = found[PAGE - 1].public_id if len(found) > PAGE else ""
    return {"items": lines, "next_cursor": more, "total_count": total_of(rows)}


def _old_and_new(value: Any) -> tuple[str | None, str]:
    """Split what an event keeps of a field into old and new, in words; a single value is new."""
    old, new = value if isinstance(value, list) and len(value) == 2 else (None, value)
    return (None if old is None else _words(old)), _words(new)


def _words(value: Any) -> str:
    if value is None or value == []:
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
