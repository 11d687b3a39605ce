"""``/regions``: the places to order in, and the certificate that verifies their endpoints."""

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import TypedDict

from portal.clusters import reads, sovereignty
from portal.clusters.models import Cluster, Region, SovereigntyFact
from portal.core import ids
from portal.core.api.pagination import known_parameters, page
from portal.core.api.schema import described
from portal.core.errors import not_found

SORTS = {"slug": "slug", "name": "name"}
PEM = {"type": "string", "description": "Certificates in PEM, one after the other."}


class FactJson(TypedDict):
    """Something that the provider states of a region; ``document`` is the address of what proves it."""

    kind: str
    value: str
    stated_on: str
    valid_until: str | None
    document: str


class RegionJson(TypedDict):
    """A place to order in. ``backends`` are the kinds of cluster that serve it, ``facts`` what holds of it today.

    ``answering``: whether any of its clusters answers at the moment. Orders are taken all the same, and wait.
    """

    id: str
    slug: str
    name: str
    country: str
    backends: list[str]
    answering: bool
    facts: list[FactJson]


@described("GET", "regions_list", "Regions", answer=RegionJson, paged=True)
@api_view(["GET"])
def regions(request: Request) -> Response:
    """List the regions."""
    rows = _with_clusters()
    return page(request, rows, region_json, sorts=SORTS, default="slug")


@described("GET", "regions_get", "A region", answer=RegionJson)
@api_view(["GET"])
def region(request: Request, region: str) -> Response:
    """Return one region, by its slug or id."""
    found = _region(region)
    known_parameters(request)
    return Response(region_json(found))


@described("GET", "regions_ca", "The region's certificate authority", answer=PEM, media="application/x-pem-file")
@api_view(["GET"])
def ca(request: Request, region: str) -> HttpResponseBase:
    """Return the certificate that verifies the endpoints of services in this region, as PEM.

    On Kubernetes each service has an authority of its own, which is told with its credentials.
    """
    found = _region(region)
    known_parameters(request)
    local = [cluster for cluster in found.clusters.all() if cluster.kind == Cluster.Kind.LOCAL]
    pems = [reads.ca_pem(cluster).strip() for cluster in local]
    if not pems:
        raise not_found()
    response = HttpResponse("\n".join(dict.fromkeys(pems)) + "\n", content_type="application/x-pem-file")
    response["Content-Disposition"] = f'attachment; filename="{found.slug}-ca.pem"'
    return response


def region_json(region: Region) -> RegionJson:
    """Return a region; its enabled clusters and what holds of it have to be fetched along."""
    return {
        "id": ids.encode("reg", region.id),
        "slug": region.slug,
        "name": region.name,
        "country": region.country,
        "backends": sorted({cluster.kind for cluster in region.clusters.all()}),
        "answering": not region.is_silent,
        "facts": [fact_json(fact) for fact in getattr(region, "holding_facts", [])],
    }


def fact_json(fact: SovereigntyFact) -> FactJson:
    return {
        "kind": fact.kind,
        "value": fact.value,
        "stated_on": fact.stated_on.isoformat(),
        "valid_until": fact.valid_until.isoformat() if fact.valid_until else None,
        "document": fact.document,
    }


def _with_clusters() -> QuerySet[Region]:
    clusters = Prefetch("clusters", queryset=Cluster.objects.filter(enabled=True))
    return sovereignty.with_facts(Region.objects.prefetch_related(clusters))


def _region(ref: str) -> Region:
    key = ids.decode("reg", ref)
    rows = _with_clusters()
    found = rows.filter(id=key).first() if key else rows.filter(slug=ref).first()
    if found is None:
        raise not_found()
    return found
