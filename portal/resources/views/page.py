"""What every page of a service starts and ends with: load and authorise, render page or fragment, answer a form."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from portal.accounts.actors import actor_of
from portal.core.actors import Actor
from portal.core.errors import Problem, TemporaryError
from portal.core.htmx import wants_partial
from portal.core.specs import Spec, meta_of
from portal.projects.access import permissions_in
from portal.resources.access import access_resource, visible_resources
from portal.resources.models import Resource
from portal.resources.presenters.header import Header, header_of, is_busy
from portal.resources.tabs import tabs_of

OFFERED = 500  # services in a field that names one, the newest; others are named by the API
BUSY_SECONDS, CALM_SECONDS = 2, 10
# Of the head alone, which has what else is on the page asked for anew when it changes. At rest as well: what goes wrong
# with a service at rest shows within two seconds. Pages that nobody looks at do not ask (app.js).
HEAD_SECONDS = 1
CHANGED = "service-changed"  # the event that does that
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ServicePage:
    """A service, who looks at it, and what they may do."""

    request: HttpRequest
    actor: Actor
    resource: Resource
    permissions: frozenset[str]

    @property
    def may_operate(self) -> bool:
        return "service.operate" in self.permissions

    def url(self, name: str, *more: str) -> str:
        """Return the address of another page of this service."""
        return reverse(f"resources:{name}", args=[self.resource.public_id, *more])

    def header(self) -> Header:
        return header_of(self.resource, self.permissions)


def load(request: HttpRequest, service_id: str, permission: str = "service.read") -> ServicePage:
    """Return the page's service. Raises Problem as ``access_resource``."""
    actor = actor_of(request)
    resource = access_resource(actor, service_id, permission)
    return ServicePage(request, actor, resource, permissions_in(actor, resource.project))


def show(page: ServicePage, tab: str, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Render a page of a service with its header and tabs."""
    head = page.header()
    frame = {
        "header": head,
        "header_mark": head_mark(page.resource, head),
        "service": page.resource,
        "offering": page.resource.offering,
        "may": {name.removeprefix("service."): True for name in page.permissions if name.startswith("service.")},
        "tabs": tabs_of(page.resource, page.permissions, tab),
        "poll_seconds": poll_seconds(page.resource),
        "head_seconds": HEAD_SECONDS,
    }
    response = render(page.request, f"resources/{template}.html", frame | context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def head_mark(resource: Resource, head: Header) -> str:
    """Return the mark of the head, which follows all that was last seen of a service: it stands for the whole page."""
    return fingerprint(head.mark_parts, resource.conditions, resource.facts)


def poll_seconds(resource: Resource) -> int:
    """Return how often a fragment asks again: soon while something is on its way."""
    return BUSY_SECONDS if is_busy(resource) else CALM_SECONDS


def fingerprint(*parts: Any) -> str:
    """Return a short mark of what a fragment shows; the same mark means that nothing has changed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def unchanged(request: HttpRequest, mark: str) -> HttpResponse | None:
    """Return 204 where a poll already shows what there is; htmx leaves the page as it is."""
    if wants_partial(request) and request.GET.get("seen") == mark:
        return HttpResponse(status=204)
    return None


def query_without(request: HttpRequest, *names: str) -> QueryDict:
    """Return the address's query without some of its words."""
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return query


def reached(read: Callable[[], Answer]) -> Answer:
    """Make one of the reads that may reach a cluster; raise a 503 that says so where it does not answer."""
    try:
        return read()
    except TemporaryError as error:
        raise Problem("region_unavailable", HTTPStatus.SERVICE_UNAVAILABLE, str(error), retryable=True) from error


def references(page: ServicePage, spec: type[Spec]) -> dict[str, list[tuple[str, str]]]:
    """Return the services that may stand in each ``Ref`` field of a spec."""
    wanted = {name: meta_of(info).ref for name, info in spec.model_fields.items() if meta_of(info).ref}
    if not wanted:
        return {}
    slugs = {slug for accepted in wanted.values() for slug in accepted}
    found = visible_resources(page.actor).listed().filter(project=page.resource.project, offering_slug__in=slugs)
    rows = list(found[:OFFERED])
    return {
        name: [(row.public_id, row.name) for row in rows if row.offering_slug in slugs]
        for name, slugs in wanted.items()
    }
