"""Engine packages for operators: a page of the admin site without a table behind it."""

from collections import Counter
from collections.abc import Mapping

from django.contrib import admin, messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.accounts.actors import actor_of
from portal.clusters import engine_packages
from portal.core import registry
from portal.core.admin import is_operator, require_operator
from portal.core.errors import Problem
from portal.resources.models import Resource


@require_safe
def packages(request: HttpRequest) -> HttpResponse:
    """List the catalogue: what is here, what is broken, and how many services use it."""
    used = users_of_packages()
    rows = [(held, used.get(held.entry.key, 0)) for held in engine_packages.held_packages()]
    context = {**admin.site.each_context(request), "title": _("Engine packages"), "rows": rows}
    return render(request, "admin/packages.html", context | {"may_act": is_operator(request)})


@require_POST
def refetch(request: HttpRequest) -> HttpResponse:
    """Have a broken package fetched anew, with a reason."""
    require_operator(request, _("Fetch again"))
    try:
        engine_packages.refetch(
            actor_of(request), key=request.POST.get("key", ""), reason=request.POST.get("reason", "")
        )
    except Problem as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, _("It is fetched anew when an engine next needs it."))
    return redirect("resources:packages")


def users_of_packages() -> Mapping[str, int]:
    """Return how many services run from each package: one query, and what offerings declare of their releases."""
    rows = Resource.objects.living().filter(cluster__kind="local").order_by()
    used: Counter[str] = Counter()
    for slug, release, number in rows.values_list("offering_slug", "release").annotate(number=Count("id")):
        offering = registry.offering(slug)
        if offering is not None and offering.packages is not None:
            used.update(dict.fromkeys(offering.packages(release), number))
    return used
