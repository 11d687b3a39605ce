"""Where services can run, and what is known of each place: for whoever has to judge whether it may be used."""

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.clusters import sovereignty
from portal.clusters.models import Cluster, Region, SovereigntyFact
from portal.core.errors import not_found


@require_safe
def region_list(request: HttpRequest) -> HttpResponse:
    """List the regions with what holds of each."""
    return render(request, "clusters/region_list.html", {"regions": _regions()})


@require_safe
def region_detail(request: HttpRequest, region: str) -> HttpResponse:
    """Show one region: what holds, each with date and document, and what once held."""
    found = _regions().filter(slug=region).first()
    if found is None:
        raise not_found()
    context = {"region": found, "past": sovereignty.past_facts(found), "kinds": SovereigntyFact.Kind.choices}
    return render(request, "clusters/region_detail.html", context)


def _regions() -> QuerySet[Region]:
    taking_orders = Prefetch("clusters", queryset=Cluster.objects.filter(enabled=True))
    return sovereignty.with_facts(Region.objects.prefetch_related(taking_orders))
