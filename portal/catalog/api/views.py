"""``/catalog``: what can be ordered and what it costs. Anybody may read it."""

from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from portal.catalog.api.shapes import (
    OfferingJson,
    PlanJson,
    PriceBookLineJson,
    offering_json,
    plan_json,
    price_line_json,
)
from portal.clusters.placement import enabled_clusters
from portal.core import registry
from portal.core.api.pagination import known_parameters, page_of
from portal.core.api.schema import described, query
from portal.core.errors import not_found
from portal.core.offerings import Offering
from portal.core.pricing import pricer

FAMILY = query("family", "Slug of a family.")


@described("GET", "offerings_list", "What can be ordered", answer=OfferingJson, paged=True, parameters=[FAMILY])
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def offerings(request: Request) -> Response:
    """List all offerings, by name."""
    family = request.query_params.get("family")
    found = [offering for offering in registry.offerings().values() if family in (None, offering.family)]
    clusters = enabled_clusters()
    ordered = sorted(found, key=lambda offering: offering.name.lower())
    return page_of(request, ordered, lambda offering: offering_json(offering, clusters), filters=("family",))


@described("GET", "offerings_get", "An offering", answer=OfferingJson)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def offering(request: Request, offering: str) -> Response:
    """Return one offering with versions, plans, regions, the schema of its settings, and capabilities."""
    found = _offering(offering)
    known_parameters(request)
    return Response(offering_json(found, enabled_clusters()))


@described("GET", "plans_list", "Plans of an offering", answer=PlanJson, paged=True)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def plans(request: Request, offering: str) -> Response:
    """List the plans of an offering with their list prices."""
    found = _offering(offering)
    return page_of(request, found.plans, lambda plan: plan_json(found, plan))


@described("GET", "prices_list", "The price book in force", answer=PriceBookLineJson, paged=True)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def prices(request: Request) -> Response:
    """List every line of the price book in force."""
    return page_of(request, pricer().price_list(), price_line_json)


def _offering(slug: str) -> Offering:
    found = registry.offering(slug)
    if found is None:
        raise not_found()
    return found
