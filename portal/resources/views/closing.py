"""Closing an organization: what still runs, all of it into the bin at one press, and the last word by its name."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import recently
from portal.core.counting import total_of
from portal.core.errors import Problem
from portal.projects import governing
from portal.projects.access import access_organization
from portal.projects.models import Organization
from portal.projects.tabs import tabs_of
from portal.resources import closing

SHOWN = 100


@recently
def organization_close(request: HttpRequest, organization: str) -> HttpResponse:
    """List what still runs; once nothing does, close the organization by its typed name."""
    actor = actor_of(request)
    found = access_organization(actor, organization, "organization.close")
    if request.method != "POST":
        return _page(request, found)
    try:
        governing.close(actor, organization=found, confirm=request.POST.get("confirm", ""))
    except Problem as problem:
        if problem.status == 403:
            raise
        return _page(request, found, problem)
    messages.success(request, _("%(name)s is closed.") % {"name": found.name})
    return redirect("organization_detail", found.slug)


@recently
@require_POST
def delete_all(request: HttpRequest, organization: str) -> HttpResponse:
    """Put everything that runs into the bin; what is protected or in use is named and left."""
    actor = actor_of(request)
    found = access_organization(actor, organization, "organization.close")
    cleared = closing.delete_all(actor, organization=found)
    say = messages.warning if cleared.refused else messages.success
    say(request, closing.words_of(cleared))
    return redirect("resources:organization_close", found.slug)


def _page(request: HttpRequest, organization: Organization, problem: Problem | None = None) -> HttpResponse:
    rows = closing.remaining(organization)
    wrong_name = problem.errors[0].detail if problem and problem.errors else ""
    context = {
        "organization": organization,
        "tabs": tabs_of(actor_of(request), organization, "settings"),
        "services": rows.select_related("project").order_by("project__slug", "name")[:SHOWN],
        "total": total_of(rows),
        "more": SHOWN,
        "days": governing.days_in_bin(),
        "name_error": wrong_name,
        "problem": problem.detail if problem and not problem.errors else "",
    }
    return render(request, "projects/organization_close.html", context, status=422 if problem else 200)
