"""Which services a list shows: the query parameters of ``GET /services``, each checked."""

from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.core import ids
from portal.core.actors import Actor
from portal.core.api.pagination import moment, parameter
from portal.core.api.schema import query
from portal.core.errors import invalid
from portal.projects.models import Project
from portal.resources import queries
from portal.resources.access import visible_resources
from portal.resources.models import Health, Resource, State
from portal.resources.tags import WORD

SORTS = {
    "created_at": "pk",
    "name": "name",
    "state": "state",
    "health": "health",
    "offering": "offering_slug",
    "plan": "plan_slug",
}
FILTERS = ("state", "health", "offering", "region", "tag", "name", "q", "created_after", "part_of")
NOT_LISTED = (State.DELETED, State.PURGED)  # shown only where they are asked for
_ORDERS = [f"{name}.{direction}" for name in SORTS for direction in ("asc", "desc")]
_WORD = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_TAG = {"type": "string", "pattern": f"^{_WORD}(:({_WORD})?)?$"}
PARAMETERS = (
    query(
        "state",
        "States, repeated or with commas.",
        {"type": "array", "items": {"type": "string", "enum": list(State.values)}},
    ),
    query(
        "health",
        "Healths, repeated or with commas.",
        {"type": "array", "items": {"type": "string", "enum": list(Health.values)}},
    ),
    query("offering", "Slug of an offering."),
    query("region", "Slug of a region."),
    query("tag", "`key` or `key:value`; all of them have to fit.", {"type": "array", "items": _TAG}),
    query("name", "The exact name."),
    query("q", "A part of the name."),
    query("created_after", "A time (RFC 3339).", {"type": "string", "format": "date-time"}),
    query("part_of", "Id of the service that brought them along; without it, only services of their own are listed."),
    query("sort", "The order.", {"type": "string", "enum": _ORDERS, "default": "created_at.desc"}),
)


def filtered(request: Request, actor: Actor, project: Project | None = None) -> QuerySet[Resource]:
    """Return the services that the parameters ask for. Raises Problem for a value that can't be one."""
    states = words(request, "state", State.values)
    found = _base(request, actor, states, project)
    if states:
        found = found.filter(state__in=states)
    if healths := words(request, "health", Health.values):
        found = found.filter(health__in=healths)
    found = found.filter(_tags(request), _rest(request)).select_related("cluster")
    return found.defer("cluster__kubeconfig", "cluster__capabilities")  # large, and for no list


def words(request: Request, name: str, choices: list[str]) -> list[str]:
    """Return the values of a parameter that may be repeated or hold commas."""
    given = [word for text in request.query_params.getlist(name) for word in text.split(",")]
    if wrong := [word for word in given if word not in choices]:
        known = _("“%(wrong)s” is not one of: %(known)s.") % {"wrong": wrong[0][:40], "known": ", ".join(choices)}
        raise invalid(parameter(name, "invalid_choice", known))
    return given


def _base(request: Request, actor: Actor, states: list[str], project: Project | None) -> QuerySet[Resource]:
    """Return what lists show; the bin and what is gone only where their states are asked for."""
    if "part_of" in request.query_params:
        owner = ids.decode("svc", request.query_params["part_of"])
        return _in(project, visible_resources(actor).filter(owner__isnull=False, owner=owner, purged_at=None))
    if not set(states) & set(NOT_LISTED):
        return queries.services(actor, project=project)
    return _in(project, visible_resources(actor).filter(owner=None))


def _in(project: Project | None, rows: QuerySet[Resource]) -> QuerySet[Resource]:
    rows = rows.select_related("project", "region")
    return queries.with_open_operation(rows if project is None else rows.filter(project=project))


def _tags(request: Request) -> Q:
    condition = Q()
    for text in request.query_params.getlist("tag"):
        key, colon, value = text.partition(":")
        if not WORD.fullmatch(key) or (value and not WORD.fullmatch(value)):
            raise invalid(parameter("tag", "invalid_tag", _("Write a tag as key or key:value.")))
        condition &= Q(tags__contains={key: value}) if colon else Q(tags__has_key=key)
    return condition


def _rest(request: Request) -> Q:
    condition = Q()
    for name, lookup in _LOOKUPS.items():
        if values := request.query_params.getlist(name):
            condition &= reduce(or_, (Q(**{lookup: value}) for value in values))
    if (after := moment(request, "created_after")) is not None:
        condition &= Q(created_at__gt=after)
    return condition


_LOOKUPS = {"offering": "offering_slug", "region": "region__slug", "name": "name", "q": "name__icontains"}
