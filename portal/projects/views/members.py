"""The members of a project: who, with which roles; add, change, remove."""

from typing import Literal

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
from portal.projects import access, actions, members, queries
from portal.projects.forms import MemberForm, RolesForm
from portal.projects.inviting import Issued
from portal.projects.models import OrganizationRole, Project, ProjectRole


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def project_members(request: HttpRequest, project: str) -> HttpResponse:
    """List the organization's people with their roles here; a POST adds one of them, or invites somebody else."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "project.members" if request.method == "POST" else "project.read")
    form, permissions, issued = MemberForm(request.POST or None), access.permissions_in(actor, found), None
    if request.POST.get("organization_role") == OrganizationRole.OWNER and not is_recent(request):
        return ask_again(request)
    if request.method == "POST" and form.is_valid() and (answer := _added(actor, found, form)) is not False:
        if answer is None:
            messages.success(request, _("%(email)s was added.") % {"email": form.cleaned_data["email"]})
            return redirect("project_members", found.slug)
        issued, form = answer, MemberForm()
    context = {
        "project": found,
        "form": form,
        "issued": issued,
        "members": queries.members_of(found, everybody="project.members" in permissions),
        "may_change": "project.members" in permissions,
        "may_change_organization": "organization.members" in permissions,
        "organization_roles": OrganizationRole.choices,
        "project_roles": ProjectRole.choices,
    }
    return render(request, "projects/project_members.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def member_change(request: HttpRequest, project: str, member: str) -> HttpResponse:
    """Set the roles of a member; a role that the form doesn't send stays."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "project.members")
    user, form = queries.access_member(found, member), RolesForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("There is no such role."))
        return redirect("project_members", found.slug)
    project_role = form.cleaned_data["project_role"] if "project_role" in form.data else None
    organization_role = form.cleaned_data["organization_role"] or None
    now = actions.role_in_organization(found.organization, user)
    if organization_role == OrganizationRole.OWNER != now and not is_recent(request):
        return ask_again(request)
    members.set_roles(
        actor,
        project=found,
        user=user,
        organization_role=organization_role,
        project_role=project_role,
    )
    messages.success(request, _("The roles of %(email)s were changed.") % {"email": user.email})
    return redirect("project_members", found.slug)


@signed_in
@require_POST
def member_remove(request: HttpRequest, project: str, member: str) -> HttpResponse:
    """Take somebody out of the organization and all its projects."""
    actor = actor_of(request)
    found = access.access_project(actor, project)
    user = queries.access_member(found, member)
    actions.remove_membership(actor, organization=found.organization, user=user)
    messages.success(request, _("%(email)s was removed.") % {"email": user.email})
    return redirect("/" if user == request.user else "project_members", *([] if user == request.user else [found.slug]))


def _added(actor: Actor, project: Project, form: MemberForm) -> Issued | Literal[False] | None:
    """Add the person that the form names, or invite them; False leaves the form with an error."""
    try:
        return members.add_or_invite(actor, project=project, **form.cleaned_data)
    except Problem as problem:
        for error in problem.errors:
            name = error.pointer.removeprefix("/")
            form.add_error(name if name in form.fields else None, error.detail)
        if not problem.errors:
            form.add_error(None, problem.detail)
        return False
