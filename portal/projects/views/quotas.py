"""Pages of limits: what is in use, and requests for more; of a project, and of an organization as a whole."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.actors import actor_of
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, quotas, usage
from portal.projects.models import Organization, Project, QuotaRequest
from portal.projects.tabs import tabs_of

SHOWN = 50  # requests, the newest


class RequestForm(forms.Form):
    """Asks for a higher limit."""

    resource = forms.ChoiceField(label=gettext_lazy("Of what"))
    limit = forms.IntegerField(label=gettext_lazy("New limit"), min_value=1, max_value=quotas.MOST)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=quotas.LONGEST_REASON,
        help_text=gettext_lazy("The provider's operators read it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def project_quotas(request: HttpRequest, project: str) -> HttpResponse:
    """Show a project's limits; a POST asks for more."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "quota.request" if request.method == "POST" else "project.read")
    may_ask = "quota.request" in access.permissions_in(actor, found)
    return _page(request, actor, found.organization, found, may_ask=may_ask)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def organization_quotas(request: HttpRequest, organization: str) -> HttpResponse:
    """Show the limits of an organization as a whole; a POST asks for more."""
    actor = actor_of(request)
    permission = "quota.request" if request.method == "POST" else "costs.read"
    found = access.access_organization(actor, organization, permission)
    may_ask = "quota.request" in access.permissions_in_organization(actor, found)
    return _page(request, actor, found, None, may_ask=may_ask)


@signed_in
@require_POST
def project_quota_withdraw(request: HttpRequest, project: str, quota_request: str) -> HttpResponse:
    """Take a request of a project back."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "quota.request")
    quotas.withdraw(actor, request=quotas.access_request(found.organization, found, quota_request))
    messages.success(request, _("The request was withdrawn."))
    return redirect("project_quotas", found.slug)


@signed_in
@require_POST
def organization_quota_withdraw(request: HttpRequest, organization: str, organization_request: str) -> HttpResponse:
    """Take a request of an organization back."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "quota.request")
    quotas.withdraw(actor, request=quotas.access_request(found, None, organization_request))
    messages.success(request, _("The request was withdrawn."))
    return redirect("organization_quotas", found.slug)


def _page(
    request: HttpRequest, actor: Actor, organization: Organization, project: Project | None, *, may_ask: bool
) -> HttpResponse:
    lines = usage.lines_of(organization, project)
    form = RequestForm(request.POST if request.method == "POST" else None, initial={"resource": request.GET.get("of")})
    form.fields["resource"].choices = [  # type: ignore[attr-defined]
        (line.resource, line.name) for line in lines if line.limit is not None
    ]
    if request.method == "POST" and form.is_valid() and _asked(actor, organization, project, form):
        messages.success(request, _("Asked. You see the provider's answer here."))
        return redirect(request.path)
    may_see_organization = "costs.read" in access.permissions_in_organization(actor, organization)
    context = {
        "organization": organization,
        "project": project,
        "tabs": [] if project else tabs_of(actor, organization, "quotas"),
        "lines": lines,
        "limited": any(line.limit is not None for line in lines),
        "requests": [
            {"row": row, "name": quotas.resources().get(row.resource, row.resource), "withdraw": _withdraw_url(row)}
            for row in quotas.requests_of(organization, project)[:SHOWN]
        ],
        "may_ask": may_ask,
        "may_see_organization": may_see_organization,
        "form": form,
    }
    return render(request, "projects/quota_list.html", context, status=422 if form.errors else 200)


def _asked(actor: Actor, organization: Organization, project: Project | None, form: RequestForm) -> bool:
    """Make the request that the form holds, or leave the form with an error."""
    try:
        quotas.request_more(actor, organization=organization, project=project, **form.cleaned_data)
    except Problem as problem:
        for error in problem.errors:
            form.add_error(error.pointer.removeprefix("/"), error.detail)
        if not problem.errors:
            form.add_error(None, problem.detail)
        return False
    return True


def _withdraw_url(row: QuotaRequest) -> str:
    if row.project:
        return reverse("project_quota_withdraw", args=[row.project.slug, row.public_id])
    return reverse("organization_quota_withdraw", args=[row.organization.slug, row.public_id])
