"""An organization's settings: its name, leaving it, handing it over, and the way to closing and reopening it."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.accounts.reauthentication import recently
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, actions, belonging, governing
from portal.projects.models import Organization
from portal.projects.organization_forms import NameForm, ReasonForm
from portal.projects.tabs import tabs_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def organization_settings(request: HttpRequest, organization: str) -> HttpResponse:
    """Show what can be changed; a POST renames."""
    actor = actor_of(request)
    permission = "organization.edit" if request.method == "POST" else "organization.read"
    found = access.access_organization(actor, organization, permission)
    form = NameForm(request.POST or None, initial={"name": found.name})
    if request.method == "POST" and form.is_valid():
        try:
            governing.rename(actor, organization=found, name=form.cleaned_data["name"])
        except Problem as problem:
            if problem.status == 403:
                raise
            form.add_error("name", problem.detail)
        else:
            messages.success(request, _("The name is saved."))
            return redirect("organization_settings", found.slug)
    return _page(request, actor, found, form)


@signed_in
@require_POST
def organization_leave(request: HttpRequest, organization: str) -> HttpResponse:
    """Leave an organization and all its projects."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization)
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - signed in

    def act() -> HttpResponse:
        actions.remove_membership(actor, organization=found, user=user)
        messages.success(request, _("You have left %(name)s.") % {"name": found.name})
        return redirect("organization_list")

    return _or_say_why(request, found, act)


@signed_in
@recently
@require_http_methods(["GET", "HEAD", "POST"])
def organization_transfer(request: HttpRequest, organization: str) -> HttpResponse:
    """Choose the next owner, and hand the organization over by its typed name."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.transfer")
    context: dict[str, Any] = {"chosen": request.POST.get("member", ""), "name_error": "", "problem": ""}
    if request.method == "POST":
        if request.POST.get("confirm", "").strip() != found.name:
            context["name_error"] = _("This is not the name. Type %(name)s.") % {"name": found.name}
        else:
            try:
                heir = belonging.person(found, context["chosen"])
                governing.transfer(actor, organization=found, to=heir.user)
            except Problem as problem:
                if problem.status == 403:
                    raise
                context["problem"] = problem.detail
            else:
                messages.success(request, _("%(email)s is the owner now.") % {"email": heir.user.email})
                return redirect("organization_detail", found.slug)
    context |= {
        "organization": found,
        "tabs": tabs_of(actor, found, "settings"),
        "people": [person for person in belonging.people(found) if person.user.id != actor.id],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "projects/organization_transfer.html", context, status=status)


@signed_in
@require_POST
def organization_reopen(request: HttpRequest, organization: str) -> HttpResponse:
    """Open a closed organization again."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization)
    form = ReasonForm(request.POST)

    def act() -> HttpResponse:
        reason = form.cleaned_data["reason"] if form.is_valid() else ""
        governing.reopen(actor, organization=found, reason=reason)
        messages.success(request, _("%(name)s is open again.") % {"name": found.name})
        return redirect("organization_detail", found.slug)

    return _or_say_why(request, found, act)


def _or_say_why(request: HttpRequest, organization: Organization, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Do it; a refusal that says what to do first is told on the settings page."""
    try:
        return act()
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        messages.error(request, problem.detail)
        return redirect("organization_settings", organization.slug)


def _page(request: HttpRequest, actor: Actor, organization: Organization, form: NameForm) -> HttpResponse:
    context = {
        "organization": organization,
        "tabs": tabs_of(actor, organization, "settings"),
        "form": form,
        "permissions": access.permissions_in_organization(actor, organization),
        "is_member": access.own_organizations(actor).filter(pk=organization.pk).exists(),
        "reopens_until": governing.reopens_until(organization),
    }
    return render(request, "projects/organization_settings.html", context, status=422 if form.errors else 200)
