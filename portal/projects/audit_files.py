"""Files of the audit log: a part of it as CSV or JSON lines, and the heads of chains. An export is itself an act."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.audit import actions as recorded
from portal.audit import exporting, heads
from portal.audit.heads import Mark
from portal.audit.models import AuditEvent, Head
from portal.core import ids
from portal.core.actors import Actor
from portal.core.api.pagination import parameter
from portal.core.errors import invalid
from portal.core.export import csv_lines, json_lines
from portal.projects import access, audit
from portal.projects.models import Organization

ROW = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file. ``lines`` makes it of rows."""

    media: str
    lines: Callable[[Iterable[Mapping[str, Any]]], Iterator[str]]


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", lambda rows: csv_lines(exporting.COLUMNS, rows)),
    "jsonl": Format("application/jsonl", json_lines),
}
CHOSEN = ("format", "cursor")


def export(actor: Actor, request: HttpRequest | Request, query: Mapping[str, str]) -> StreamingHttpResponse:
    """Answer with a file of what the filters keep, and record that it was taken.

    A file holds ``exporting.MOST`` rows; where more come after them, ``Link: …; rel="next"`` leads to the next file.
    ``query``: filters, ``format`` (csv or jsonl), ``cursor`` (the id of the last row of the file before).
    """
    chosen, after = _format(query), _cursor(query)
    _require_a_place(actor, query)
    rows = audit.events(actor, query)
    last = exporting.last_of_file(rows, after)
    if request.META["REQUEST_METHOD"] != "HEAD":  # a look at the headers takes nothing along
        _record(actor, query)
    form = FORMATS[chosen]
    response = StreamingHttpResponse(form.lines(map(row, exporting.in_batches(rows, after))), content_type=form.media)
    name = f"audit-{timezone.now():%Y%m%d-%H%M%S}.{chosen}"
    response["Content-Disposition"], response["Cache-Control"] = f'attachment; filename="{name}"', "no-store"
    if last is not None:
        further = urlencode({**query, "cursor": last.public_id})
        response["Link"] = f'<{request.build_absolute_uri(request.path)}?{further}>; rel="next"'
    return response


def row(event: AuditEvent) -> ROW:
    """Return an event as a flat row with the names that its reader knows."""
    return {
        "id": event.public_id,
        "at": event.at,
        "organization": ids.encode("org", event.organization_id) if event.organization_id else None,
        "project": ids.encode("proj", event.project_id) if event.project_id else None,
        "actor_kind": event.actor_kind,
        "actor_id": audit.public_actor(event),
        "actor": audit.actor_name(event),
        "token": ids.encode("tok", event.token_id) if event.token_id else None,
        "action": event.action,
        "target_kind": event.target_kind,
        "target_id": audit.public_target(event),
        "target": audit.target_name(event),
        "outcome": event.outcome,
        "changes": event.changes,
        "reason": event.reason,
        "address": event.address,
        "request_id": event.request_id,
    }


def head_file(actor: Actor, query: Mapping[str, str]) -> HttpResponse:
    """Answer with the head of an organization's chain as it is now; an operator who names none gets all heads."""
    ref = query.get("organization", "")
    if not ref and "provider.operate" in access.provider_permissions(actor):
        return _heads("all", heads.current())
    if not ref:
        raise invalid(parameter("organization", "required", _("Say of which organization.")))
    organization = access.access_organization(actor, ref, "audit.read")
    return _heads(organization.slug, heads.running_of(organization.id))


def sealed_up_to(organization: Organization) -> Head | None:
    """Return how far an organization's chain is sealed; None where nothing is yet."""
    return Head.objects.running().filter(organization_id=organization.id).first()


def _heads(name: str, marks: list[Mark]) -> HttpResponse:
    response = HttpResponse(heads.as_text(marks), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="audit-head-{name}-{timezone.now():%Y%m%d-%H%M%S}.json"'
    return response


def _format(query: Mapping[str, str]) -> str:
    chosen = query.get("format") or "csv"
    if chosen not in FORMATS:
        raise invalid(parameter("format", "choice", _("Choose csv or jsonl.")))
    return chosen


def _cursor(query: Mapping[str, str]) -> uuid.UUID | None:
    text = query.get("cursor")
    key = ids.decode("aud", text) if text else None
    if text and key is None:
        raise invalid(parameter("cursor", "invalid_cursor", _("Give the id of the last row of the file before.")))
    return key


def _require_a_place(actor: Actor, query: Mapping[str, str]) -> None:
    """Have the provider's people say whose log they take along: it is recorded where that customer reads it."""
    provider = "audit.read" in access.provider_permissions(actor)
    if provider and not (query.get("organization") or query.get("project")):
        detail = _("Choose an organization or a project: its people will read that you took its log along.")
        raise invalid(parameter("organization", "required", detail))


@transaction.atomic
def _record(actor: Actor, query: Mapping[str, str]) -> None:
    said = {name: query.get(name, "").replace("\0", "") for name in (*audit.FILTERS, *CHOSEN)}
    kept = {name: text for name, text in said.items() if text and "@" not in text}  # no row holds a mail address
    for organization_id, project_id in _places(actor, query):
        recorded.record(
            actor=actor,
            action="audit.export",
            target_kind="project" if project_id else "organization" if organization_id else "user",
            target_id=project_id or organization_id or actor.id,
            organization_id=organization_id,
            project_id=project_id,
            changes=kept,
        )


def _places(actor: Actor, query: Mapping[str, str]) -> list[tuple[uuid.UUID | None, uuid.UUID | None]]:
    """Return the organizations, and projects of others, in whose log it stands that their log was taken along."""
    if ref := query.get("project"):
        project = access.access_project(actor, ref, "audit.read")
        return [(project.organization_id, project.id)]
    if ref := query.get("organization"):
        return [(access.access_organization(actor, ref, "audit.read").id, None)]
    organizations = list(access.own_organizations(actor, "audit.read").values_list("id", flat=True))
    projects = access.own_projects(actor, "audit.read").exclude(organization_id__in=organizations)
    return [*((key, None) for key in organizations), *projects.values_list("organization_id", "id")] or [(None, None)]
