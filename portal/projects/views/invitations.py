"""Invitations of an organization: the open ones, a new one, sending one again, taking one back.

A link stands in the one answer that made it and in the mail: a portal without a mail server needs it shown.
"""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import ask_again, is_recent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, inviting
from portal.projects.inviting import Issued
from portal.projects.models import Organization, OrganizationRole
from portal.projects.organization_forms import InvitationForm
from portal.projects.tabs import tabs_of


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def organization_invitations(request: HttpRequest, organization: str) -> HttpResponse:
    """List what is open and could be given by this person; a POST invites somebody."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    form, issued = _form(request, actor, found), None
    if request.POST.get("role") == OrganizationRole.OWNER and not is_recent(request):
        return ask_again(request)
    if request.method == "POST" and form.is_valid():
        issued = _invited(actor, found, form)
        form = _form(None, actor, found) if issued else form
    return _page(request, actor, found, form, issued)


@never_cache
@signed_in
@require_POST
def invitation_resend(request: HttpRequest, organization: str, invitation: str) -> HttpResponse:
    """Send an invitation again, by a new link."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    try:
        issued = inviting.resend(actor, invitation=inviting.access_invitation(actor, found, invitation))
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        messages.error(request, problem.detail)
        return redirect("organization_invitations", found.slug)
    return _page(request, actor, found, _form(None, actor, found), issued)


@signed_in
@require_POST
def invitation_revoke(request: HttpRequest, organization: str, invitation: str) -> HttpResponse:
    """Take an invitation back."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    row = inviting.access_invitation(actor, found, invitation)
    inviting.revoke(actor, invitation=row)
    messages.success(request, _("The invitation of %(email)s was revoked.") % {"email": row.email})
    return redirect("organization_invitations", found.slug)


def _form(request: HttpRequest | None, actor: Actor, organization: Organization) -> InvitationForm:
    projects = organization.projects.order_by("name")
    data = request.POST or None if request else None
    return InvitationForm(data, inviting.givable_roles(actor, organization), projects)


def _invited(actor: Actor, organization: Organization, form: InvitationForm) -> Issued | None:
    """Return the invitation, or nothing and the form with its errors."""
    roles = {slug: role for slug, role in form.project_roles.items() if role}
    typed = form.cleaned_data
    try:
        return inviting.invite(
            actor, organization=organization, email=typed["email"], role=typed["role"], project_roles=roles
        )
    except Problem as problem:
        if problem.status == 403:
            raise
        for error in problem.errors:
            form.place(error.pointer, error.detail)
        if not problem.errors:
            form.add_error(None, problem.detail)
        return None


def _page(
    request: HttpRequest, actor: Actor, organization: Organization, form: InvitationForm, issued: Issued | None
) -> HttpResponse:
    names = dict(organization.projects.values_list("slug", "name"))
    rows = list(inviting.visible_invitations(actor, organization))
    lines = [
        (row, OrganizationRole(row.role).label, [names.get(slug, slug) for slug in row.project_roles]) for row in rows
    ]
    context = {
        "organization": organization,
        "tabs": tabs_of(actor, organization, "invitations"),
        "form": form,
        "lines": lines,
        "issued": issued,
    }
    status = 422 if form.errors else 200
    return render(request, "projects/organization_invitations.html", context, status=status)
