"""The catalog and the order page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts.actors import actor_of
from portal.catalog import queries
from portal.catalog.ordering import OrderPage
from portal.core import registry
from portal.core.errors import Problem, not_found
from portal.core.forms import show_problem
from portal.core.htmx import done, signed_in, wants_partial
from portal.core.offerings import Offering
from portal.projects.access import access_project
from portal.resources import actions
from portal.resources.actions.checking import name_errors
from portal.resources.models import Resource


@require_safe
def catalog(request: HttpRequest) -> HttpResponse:
    """Show what can be ordered; search finds it by what people call it."""
    text = request.GET.get("q", "").strip()
    found = queries.cards(text=text, family=request.GET.get("family", ""))
    context = {"groups": queries.grouped(found), "text": text, "count": len(found), "families": registry.families()}
    template = "catalog/partials/cards.html" if wants_partial(request) else "catalog/catalog_list.html"
    return render(request, template, context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def order(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the order page, and place the order."""
    page = OrderPage.of(request, _offering(slug))
    if request.method == "POST" and page.is_valid():
        try:
            return _place(request, page)
        except Problem as problem:
            show_problem(problem, page.form, page.spec_form)
    context = page.context()
    return render(request, "catalog/order_page.html", context, status=422 if request.method == "POST" else 200)


def _place(request: HttpRequest, page: OrderPage) -> HttpResponse:
    actor = actor_of(request)
    project = access_project(actor, page.form.cleaned_data["project"], "service.create")
    operation = actions.order(actor, project=project, request=page.request())
    page_of_service = reverse("resources:service", args=[operation.resource.public_id])
    return done(request, page_of_service, _("%(name)s is on its way.") % {"name": operation.resource.name})


@signed_in
@require_POST
def quote(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer the live price of what the form holds now: the summary beside it, or the plans of another region."""
    page = OrderPage.of(request, _offering(slug))
    part = "plan_choices" if request.headers.get("HX-Target") == "plan_choices" else "summary"
    return render(request, f"catalog/partials/{part}.html", page.context())


@signed_in
@require_safe
def check_name(request: HttpRequest, slug: str) -> HttpResponse:
    """Say beside the field whether a name can be had."""
    _offering(slug)
    name, project = request.GET.get("name", ""), request.GET.get("project", "")
    errors = [error.detail for error in name_errors(name)] if name else []
    if not errors and name and project:
        found = access_project(actor_of(request), project)
        if Resource.objects.living().filter(project=found, name=name).exists():
            errors = [_("A service called %(name)s is already in this project.") % {"name": name}]
    return render(request, "catalog/partials/name_hint.html", {"errors": errors, "name": name})


def _offering(slug: str) -> Offering:
    found = registry.offering(slug)
    if found is None:
        raise not_found()
    return found
