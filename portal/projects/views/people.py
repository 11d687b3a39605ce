"""The people of an organization: all of them with all their roles; change and remove."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import ask_again, is_recent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, actions, belonging, inviting, members
from portal.projects.belonging import Belonging
from portal.projects.models import Organization, OrganizationRole
from portal.projects.organization_forms import OF_PROJECT, PersonForm
from portal.projects.tabs import tabs_of


@signed_in
@require_safe
def organization_members(request: HttpRequest, organization: str) -> HttpResponse:
    """List everybody with their role here and in each project."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.people")
    context = {
        "organization": found,
        "tabs": tabs_of(actor, found, "members"),
        "people": belonging.people(found),
        "may_change": "organization.members" in access.permissions_in_organization(actor, found),
        "givable": {str(role) for role in inviting.givable_roles(actor, found)},
    }
    return render(request, "projects/organization_members.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def organization_member(request: HttpRequest, organization: str, member: str) -> HttpResponse:
    """Show all roles of one person in one form, and change them together."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    person = belonging.person(found, member)
    form = _form(request, actor, found, person)
    if request.POST.get("role") == OrganizationRole.OWNER != person.role and not is_recent(request):
        return ask_again(request)
    if request.method == "POST" and form.is_valid() and _changed(actor, found, person, form):
        messages.success(request, _("The roles of %(email)s were changed.") % {"email": person.user.email})
        return redirect("organization_members", found.slug)
    context = {
        "organization": found,
        "tabs": tabs_of(actor, found, "members"),
        "person": person,
        "form": form,
        "above": person.role not in inviting.givable_roles(actor, found),
    }
    return render(request, "projects/organization_member.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def organization_member_remove(request: HttpRequest, organization: str, member: str) -> HttpResponse:
    """Take somebody out of the organization and all its projects."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, "organization.members")
    person = belonging.person(found, member)
    try:
        actions.remove_membership(actor, organization=found, user=person.user)
    except Problem as problem:
        if problem.status == 403:
            raise
        messages.error(request, problem.detail)
        return redirect("organization_members", found.slug)
    messages.success(request, _("%(email)s was removed.") % {"email": person.user.email})
    return (
        redirect("organization_list") if person.user == request.user else redirect("organization_members", found.slug)
    )


def _form(request: HttpRequest, actor: Actor, organization: Organization, person: Belonging) -> PersonForm:
    roles = inviting.givable_roles(actor, organization)
    projects = list(organization.projects.order_by("name"))
    now = {OF_PROJECT + project.slug: person.role_in(project) for project in projects}
    shown = roles if person.role in roles else [OrganizationRole(person.role)]
    return PersonForm(request.POST or None, shown, projects, initial={"role": person.role, **now})


def _changed(actor: Actor, organization: Organization, person: Belonging, form: PersonForm) -> bool:
    """Change what differs, all or nothing; leave the form with an error where that is refused."""
    now = {part.project.slug: part.role for part in person.parts}
    role = form.cleaned_data["role"]
    try:
        members.set_all_roles(
            actor,
            organization=organization,
            user=person.user,
            organization_role=role if role != person.role else None,
            project_roles={slug: new for slug, new in form.project_roles.items() if new != now.get(slug, "")},
        )
    except Problem as problem:
        if problem.status == 403:
            raise
        form.add_error(None, problem.detail)
        return False
    return True
