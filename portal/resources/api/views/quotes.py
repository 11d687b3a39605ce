"""``POST /quotes``: what an order or a change would cost and do."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import read
from portal.core.errors import FieldError, Problem, invalid
from portal.projects.access import access_project, own_projects
from portal.projects.models import Project
from portal.resources import actions
from portal.resources.access import access_resource
from portal.resources.api.serializers import QuoteBody
from portal.resources.api.shapes import QuoteJson, quote_json
from portal.resources.models import Quote

Ask = Callable[[], Quote]


@described("POST", "quotes_make", "Ask for a price", answer=QuoteJson, body=QuoteBody, parameters=[IDEMPOTENCY_KEY])
@api_view(["POST"])
def quotes(request: Request) -> Response:
    """Say what an order, or a change to a service, would cost and do. Nothing happens to the service."""
    actor = actor_of(request)
    known_parameters(request)
    ask = _asked(actor, read(request, QuoteBody))
    return once(request, actor.id, lambda: Response(quote_json(ask())))


def _asked(actor: Actor, body: dict[str, Any]) -> Ask:
    """Reach what a body is about; what it returns then asks for the price."""
    if "service" not in body and "change" not in body:
        return _order(actor, body)
    _refuse_mixture(body)
    try:
        resource = access_resource(actor, body["service"], "service.read")
    except Problem as error:
        raise _at("/service", error) from error
    return lambda: actions.quote_change(actor, resource, body["change"])


def _order(actor: Actor, body: dict[str, Any]) -> Ask:
    if "offering" not in body:
        raise invalid(FieldError("/offering", "required", _("Say what to order, or give a service and a change.")))
    project = _project(actor, body.pop("project", ""))
    acknowledge = tuple(body.pop("acknowledge", ()))
    request = actions.OrderRequest(**{"name": "", **body}, acknowledge=acknowledge)
    return lambda: actions.quote_order(actor, project, request)


def _refuse_mixture(body: dict[str, Any]) -> None:
    """Refuse a change without its service, or with parts of an order."""
    say = _("A quote for a change has a service and a change, and nothing else.")
    missing = [FieldError(f"/{name}", "required", say) for name in ("service", "change") if name not in body]
    other = [FieldError(f"/{name}", "unknown_field", say) for name in body if name not in ("service", "change")]
    if missing or other:
        raise invalid(*missing, *other)


def _project(actor: Actor, ref: str) -> Project:
    """Return the project that is named, or the only one in which the caller may order."""
    if ref:
        try:
            return access_project(actor, ref, "service.create")
        except Problem as error:
            raise _at("/project", error) from error
    found = list(own_projects(actor, "service.create").select_related("organization")[:2])
    if len(found) != 1:
        raise invalid(FieldError("/project", "required", _("Say for which project.")))
    return found[0]


def _at(pointer: str, error: Problem) -> Problem:
    """Return a 422 that points at the field which names what is not there; any other problem stays."""
    return invalid(FieldError(pointer, "not_found", error.detail)) if error.code == "not_found" else error
