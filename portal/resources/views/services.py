"""The list of services: of the project, of all projects, and the bin."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from portal.accounts.actors import actor_of
from portal.core import registry
from portal.core.actors import Actor
from portal.core.htmx import wants_partial
from portal.core.templatetags.states import word
from portal.projects.access import own_projects, permissions_in
from portal.projects.models import Project
from portal.projects.queries import current_project
from portal.resources import queries
from portal.resources.filters import ServiceFilter
from portal.resources.models import State
from portal.resources.presenters.header import is_busy
from portal.resources.presenters.services import Row, rows_of
from portal.resources.tabs import Tab
from portal.resources.views.page import BUSY_SECONDS, CALM_SECONDS, fingerprint, query_without, unchanged

# What a row shows, its price is made of and lists are sorted by: the rest is large, or costs time to read for nothing.
SEEN = (
    *("handle", "offering_slug", "version", "release", "name", "plan_slug", "spec", "spec_version", "tags", "running"),
    *("state", "health", "generation", "observed_generation", "created_at"),
    *("deletion_requested_at", "deletion_policy", "deleted_at", "purge_after", "purged_at"),
    *("project__name", "region__name", "region__slug"),
)
LISTED = [state for state in State if state not in (State.DELETED, State.PURGED)]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which services the list is of."""

    project: Project | None
    is_bin: bool


def service_list(request: HttpRequest) -> HttpResponse:
    """Show the services, live: only a list that changed is sent again."""
    actor = actor_of(request)
    scope = Scope(None if "all" in request.GET else current_project(request, actor), "bin" in request.GET)
    asked = ServiceFilter.of(request.GET)
    find = queries.binned if scope.is_bin else queries.services
    found = find(actor, project=scope.project)
    if scope.project is None:  # the provider's people see all projects, but work in their own
        found = found.filter(project__in=own_projects(actor))
    page = asked.page(found.only(*SEEN))
    rows = rows_of(page.items)
    mark = fingerprint([row.mark_parts for row in rows], page.total_count, page.next_cursor)
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    context = {"page": page, "rows": rows, "filter": asked, "scope": scope, "poll": _poll(request, rows, mark)}
    template = "partials/service_table" if wants_partial(request) else "service_list"
    response = render(request, f"resources/{template}.html", context | _frame(request, actor, scope))
    patch_vary_headers(response, ["HX-Request"])
    return response


def _poll(request: HttpRequest, rows: list[Row], mark: str) -> dict[str, str | int]:
    query = query_without(request, "seen")
    query["seen"] = mark
    seconds = BUSY_SECONDS if any(is_busy(row.resource) for row in rows) else CALM_SECONDS
    return {"url": f"{request.path}?{query.urlencode()}", "seconds": seconds}


def _frame(request: HttpRequest, actor: Actor, scope: Scope) -> dict[str, object]:
    """Return what stands around the table: tabs, filters, and whether ordering and deleting are this reader's to do."""
    permissions = permissions_in(actor, scope.project) if scope.project else frozenset()
    narrowed = query_without(request, "seen", "cursor", "q", "state", "offering", "tag")
    return {
        "list_tabs": _tabs(request, scope),
        "states": [(state.value, word(state.value).label) for state in LISTED],
        "offerings": sorted(registry.offerings().values(), key=lambda offering: offering.name),
        "may_order": scope.project is None or "service.create" in permissions,
        "may_delete": scope.project is None or "service.delete" in permissions,
        "kept_query": narrowed.items(),
        "all_url": _address(bin=scope.is_bin, all_projects=scope.project is not None),
        "clear_url": _address(bin=scope.is_bin, all_projects=scope.project is None),
    }


def _tabs(request: HttpRequest, scope: Scope) -> list[Tab]:
    everywhere = scope.project is None
    here = _address(bin=False, all_projects=everywhere)
    in_bin = _address(bin=True, all_projects=everywhere)
    return [Tab("services", _("Services"), here, not scope.is_bin), Tab("bin", _("Bin"), in_bin, scope.is_bin)]


def _address(*, bin: bool, all_projects: bool) -> str:  # noqa: A002
    words = [word for word, wanted in (("bin=1", bin), ("all=1", all_projects)) if wanted]
    return f"/services?{'&'.join(words)}" if words else "/services"
