"""The page for somebody who belongs nowhere yet, and the page of what an organization asks of its members."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.accounts import second_factor
from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.accounts.reauthentication import ask_again, is_recent
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, founding, policy, queries
from portal.projects.founding_forms import FoundingForm, PolicyForm
from portal.projects.tabs import tabs_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """Offer to found an organization, or tell how one is invited into another's."""
    assert isinstance(request.user, User)  # noqa: S101 - the decorator has seen to it
    form = FoundingForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and (response := _founded(request, form)):
        return response
    context = {"form": form, "may_found": founding.may_found(request.user), "address": request.user.email}
    return render(request, "projects/welcome.html", context, status=422 if form.errors else 200)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def organization_security(request: HttpRequest, organization: str) -> HttpResponse:
    """Show and set whether members need a second factor."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.edit")
    sent = request.POST if request.method == "POST" else None  # a switch that is off sends nothing at all
    form = PolicyForm(sent, initial={"mfa_required": found.mfa_required})
    if request.method == "POST" and form.is_valid():
        if not is_recent(request):
            return ask_again(request)
        if _policy_set(request, form, organization):
            return redirect("organization_security", found.slug)
    context = {
        "organization": found,
        "tabs": tabs_of(actor, found, "security"),
        "form": form,
        "without": policy.without_factor(found),
        "is_able": isinstance(request.user, User) and second_factor.has_second_factor(request.user),
    }
    return render(request, "projects/organization_security.html", context, status=422 if form.errors else 200)


def _founded(request: HttpRequest, form: FoundingForm) -> HttpResponse | None:
    """Return the way on into the new organization, or nothing and the form with its errors."""
    try:
        project = founding.found_organization(actor_of(request), **form.cleaned_data)
    except Problem as problem:
        if problem.status == 403:
            raise
        for error in problem.errors:
            form.add_error(error.pointer.removeprefix("/"), error.detail)
        if not problem.errors:
            form.add_error(None, problem.detail)
        return None
    request.session[queries.SESSION_KEY] = project.slug
    messages.success(request, _("“%(name)s” is there, and yours.") % {"name": project.organization.name})
    return redirect("/")


def _policy_set(request: HttpRequest, form: PolicyForm, organization: str) -> bool:
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.edit")
    try:
        policy.set_policy(actor, found, mfa_required=form.cleaned_data["mfa_required"])
    except Problem as problem:
        if problem.code not in ("second_factor_missing", "organization_closed"):
            raise
        form.add_error("mfa_required", problem.detail)
        return False
    messages.success(request, _("Saved."))
    return True
