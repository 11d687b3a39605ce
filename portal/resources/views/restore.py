"""Restoring a backup: to a new service with a name, plan and price, or over the service it came from."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.core.errors import Problem, not_found
from portal.core.forms import show_problem
from portal.core.htmx import done, wants_partial
from portal.core.offerings import Plan
from portal.core.pricing import Price
from portal.resources import actions
from portal.resources.access import access_child
from portal.resources.actions import moments
from portal.resources.forms import RestoreForm, cheapest_first
from portal.resources.models import Child
from portal.resources.parts import price_with_parts
from portal.resources.views.page import ServicePage, load, show


def restore(request: HttpRequest, service_id: str, kind: str, child_id: str) -> HttpResponse:
    """Show both ways, and take one."""
    page = load(request, service_id)
    backup = access_child(page.actor, page.resource, kind, child_id, "service.spend")
    if page.resource.offering.verb("restore") is None:
        raise not_found()
    if request.method != "POST":
        return _page(page, backup, _fresh_form(page))
    return _in_place(page, backup) if request.POST.get("way") == "in_place" else _to_new(page, backup)


def _fresh_form(page: ServicePage) -> RestoreForm:
    name = f"{page.resource.name[:52]}-restored"
    initial = {"name": name, "plan": page.resource.plan_slug}
    return RestoreForm(initial=initial, with_time=_has_moments(page))


def _has_moments(page: ServicePage) -> bool:
    return moments.earliest(page.resource) is not None


def _to_new(page: ServicePage, backup: Child) -> HttpResponse:
    form = RestoreForm(page.request.POST, with_time=_has_moments(page))
    if form.is_valid():
        name, plan, time = form.cleaned_data["name"], form.cleaned_data["plan"], form.cleaned_data.get("time")
        source = None if time else backup
        try:
            made = actions.restore(page.actor, page.resource, backup=source, time=time, target_name=name, plan=plan)
        except Problem as problem:
            show_problem(problem, form)
        else:
            home = reverse("resources:service", args=[made.resource.public_id])
            return done(page.request, home, _("%(name)s is being made from the backup.") % {"name": name})
    return _page(page, backup, form, status=422)


def _in_place(page: ServicePage, backup: Child) -> HttpResponse:
    name = page.resource.name
    error = ""
    if page.request.POST.get("confirm", "").strip() != name:
        error = _("This is not the name. Type %(name)s.") % {"name": name}
    else:
        try:
            actions.restore(page.actor, page.resource, backup=backup, in_place=True)
        except Problem as problem:
            error = problem.detail
        else:
            return done(page.request, page.url("service"), _("The backup is being put in place."))
    return _page(page, backup, _fresh_form(page), error, status=422)


def _page(page: ServicePage, backup: Child, form: RestoreForm, error: str = "", *, status: int = 200) -> HttpResponse:
    bound_plan = form.data.get("plan") if form.is_bound else None
    context = {
        "backup": backup,
        "form": form,
        "plans": _plans(page),
        "chosen": bound_plan or page.resource.plan_slug,
        "in_place_error": error,
        "may_in_place": page.resource.cluster.kind in page.resource.offering.restores_in_place,
        "may_create": "service.create" in page.permissions,
    }
    template = "partials/restore" if wants_partial(page.request) else "service_restore"
    return show(page, backup.kind, template, context, status=status)


def _plans(page: ServicePage) -> list[tuple[Plan, Price]]:
    """Return the plans that the backup's data fits into, each with its price."""
    resource, offering = page.resource, page.resource.offering
    spec, region = resource.load_spec(), resource.region.slug
    fitting = [plan for plan in cheapest_first(offering.plans) if resource.cluster.kind in plan.backends]
    return [(plan, price_with_parts(offering, plan, spec, region=region)) for plan in fitting]
