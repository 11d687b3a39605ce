"""Home, search and the style guide."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.accounts.actors import actor_of
from portal.console import queries
from portal.console import search as finding
from portal.core.htmx import signed_in, wants_partial
from portal.projects.access import own_organizations


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show what runs, what happens and what it costs; somebody not signed in sees the catalog."""
    if not request.user.is_authenticated:
        return redirect("catalog:catalog")
    context = queries.home(request, actor_of(request))
    if context["project"] is None and not request.user.is_staff and not own_organizations(actor_of(request)).exists():
        return redirect("welcome")
    return render(request, "console/home.html", context)


@signed_in
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Find services, offerings and pages: for the command palette and as a page of its own."""
    text = request.GET.get("q", "").strip()[:100]
    context = {"groups": finding.find(actor_of(request), text), "query": text}
    template = "partials/search_results.html" if wants_partial(request) else "console/search.html"
    return render(request, template, context)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show every component in every state."""
    return render(request, "console/styleguide.html")
