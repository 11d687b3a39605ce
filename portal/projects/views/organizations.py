"""Pages of organizations: the list of one's own, and what one of them is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.core.htmx import signed_in
from portal.projects import access, belonging, founding, governing, inviting
from portal.projects.tabs import tabs_of


@signed_in
@require_safe
def organization_list(request: HttpRequest) -> HttpResponse:
    """List the organizations that the person belongs to."""
    user = request.user
    context = {
        "organizations": belonging.organizations(actor_of(request)),
        "may_found": isinstance(user, User) and founding.may_found(user),
    }
    return render(request, "projects/organization_list.html", context)


@signed_in
@require_safe
def organization_detail(request: HttpRequest, organization: str) -> HttpResponse:
    """Show an organization: its projects, what runs in them, how many people, one's own role."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization)
    permissions = access.permissions_in_organization(actor, found)
    lines = belonging.projects(actor, found)
    context = {
        "organization": found,
        "tabs": tabs_of(actor, found, "overview"),
        "permissions": permissions,
        "role": belonging.role_label(actor, found),
        "projects": lines,
        "services": sum(line.services.total for line in lines),
        "running": sum(line.services.running for line in lines),
        "people": len(belonging.people(found)) if "organization.people" in permissions else None,
        "invitations": inviting.visible_invitations(actor, found).count(),
        "reopens_until": governing.reopens_until(found),
    }
    return render(request, "projects/organization_detail.html", context)
