"""The pages of the audit log: the list with its filters, one event, and files to take along."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.audit.diffing import Line, lines
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.core.actors import Actor
from portal.core.counting import total_of
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, audit, audit_files
from portal.projects.models import Organization, Project

PAGE = 50
MOST = 200  # choices in a filter; more are reached by address
SHORT = 4  # lines of a change that the list shows; its own page shows all


@dataclass(frozen=True, slots=True)
class Shown:
    """An event as its reader sees it: with names, lines of what changed, and where its target can be looked at."""

    event: AuditEvent
    actor: str
    actor_id: str | None
    target: str
    target_id: str | None
    address: str
    changes: list[Line]

    @property
    def first(self) -> list[Line]:
        return self.changes[:SHORT]

    @property
    def more(self) -> int:
        return max(0, len(self.changes) - SHORT)


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
    page = _page(actor, rows, request.GET.get("cursor", ""))
    filters = {name: request.GET.get(name, "") for name in audit.FILTERS}
    organizations = access.visible_organizations(actor, "audit.read")[:MOST]
    context = {
        "page": page,
        "lines": page["items"],  # in a template ``page.items`` is the method where ``page`` is a dictionary
        "errors": errors,
        "filters": filters,
        "is_filtered": any(filters.values()),
        "organizations": organizations,
        "projects": access.visible_projects(actor, "audit.read")[:MOST],
        "people": _people(actor),
        "periods": _periods(request),
        "export": urlencode({name: value for name, value in filters.items() if value}),
        "must_choose": actor.is_operator and not (filters["organization"] or filters["project"]),
        **_seal(actor, filters["organization"], list(organizations)),
    }
    return render(request, "audit/audit_list.html", context, status=status)


@signed_in
@require_safe
def audit_event(request: HttpRequest, event: str) -> HttpResponse:
    """Show one event whole: this is the address to pass on."""
    actor = actor_of(request)
    [shown] = _shown(actor, [audit.access_event(actor, event)])
    organization, project = _place(actor, shown.event)
    digest = bytes(shown.event.digest).hex() if shown.event.digest else ""
    context = {"line": shown, "event": shown.event, "project": project, "organization": organization}
    return render(request, "audit/audit_event.html", context | {"digest": digest})


@signed_in
@require_safe
def audit_export(request: HttpRequest) -> HttpResponse:
    """Take along what the filters keep, as a file."""
    return cast(HttpResponse, audit_files.export(actor_of(request), request, request.GET.dict()))


@signed_in
@require_safe
def audit_head(request: HttpRequest) -> HttpResponse:
    """Take along how far an organization's chain is sealed."""
    return audit_files.head_file(actor_of(request), request.GET.dict())


def _place(actor: Actor, event: AuditEvent) -> tuple[Organization | None, Project | None]:
    """Return where an act belongs, as far as the reader may see it."""
    organizations, projects = access.visible_organizations(actor), access.visible_projects(actor)
    organization = organizations.filter(id=event.organization_id).first() if event.organization_id else None
    return organization, projects.filter(id=event.project_id).first() if event.project_id else None


def _page(actor: Actor, rows: Any, cursor: str) -> dict[str, Any]:
    """Return one page of lines and where the next one begins; a cursor is the id of the last line before it."""
    key = ids.decode("aud", cursor)
    found = list(rows.filter(pk__lt=key)[: PAGE + 1] if key else rows[: PAGE + 1])
    more = found[PAGE - 1].public_id if len(found) > PAGE else ""
    return {"items": _shown(actor, found[:PAGE]), "next_cursor": more, "total_count": total_of(rows)}


def _shown(actor: Actor, events: Iterable[AuditEvent]) -> list[Shown]:
    found = list(events)
    places = audit.where(actor, found)
    return [
        Shown(
            event=event,
            actor=audit.actor_name(event),
            actor_id=audit.public_actor(event),
            target=audit.target_name(event),
            target_id=audit.public_target(event),
            address=places.get(event.target_id, "") if event.target_id else "",
            changes=lines(event.changes),
        )
        for event in found
    ]


def _people(actor: Actor) -> list[str]:
    """Return whom the filter offers: the people of the reader's own organizations."""
    own = access.own_organizations(actor, "audit.read")
    rows = User.objects.filter(memberships__organization__in=own, machine_of=None).order_by("email")
    return list(rows.values_list("email", flat=True).distinct()[:MOST])


def _periods(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the presets of time as links that leave the other filters."""
    names = (("", _("All")), ("1h", _("1 hour")), ("24h", _("24 hours")), ("7d", _("7 days")), ("30d", _("30 days")))
    query, chosen = request.GET.copy(), request.GET.get("period", "")
    for name in ("cursor", "since", "until", "period"):
        query.pop(name, None)
    is_free = not (request.GET.get("since") or request.GET.get("until"))
    found = []
    for period, title in names:
        extra = f"&{urlencode({'period': period})}" if period else ""
        url = f"{reverse('audit_list')}?{query.urlencode()}{extra}"
        found.append({"title": title, "url": url, "active": is_free and chosen == period})
    return found


def _seal(actor: Actor, ref: str, readable: list[Organization]) -> dict[str, Any]:
    """Return whose chain the page tells of, and how far it is sealed: the chosen organization's, or the only one's."""
    chosen = [organization for organization in readable if ref in (organization.slug, organization.public_id)]
    alone = readable if not ref and len(readable) == 1 else []
    found = next(iter(chosen or alone), None)
    return {"sealed_organization": found, "head": audit_files.sealed_up_to(found) if found else None}
