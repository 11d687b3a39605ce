"""The members of a project: who, with which roles; add, change, remove."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import Problem, not_found
from portal.projects import access, actions, members, queries
from portal.projects.forms import MemberForm, RolesForm
from portal.projects.models import OrganizationRole, Project, ProjectRole


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def member_list(request: HttpRequest, project: str) -> HttpResponse:
    """List the organization's people with their roles here; a POST adds somebody by mail address."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "project.members" if request.method == "POST" else "project.read")
    form, permissions = MemberForm(request.POST or None), access.permissions_in(actor, found)
    if request.method == "POST" and form.is_valid() and _added(actor, found, form):
        messages.success(request, _("%(email)s was added.") % {"email": form.cleaned_data["email"]})
        return redirect("member_list", found.slug)
    context = {
        "project": found,
        "form": form,
        "members": queries.members_of(found, everybody="project.members" in permissions),
        "permissions": permissions,
        "organization_roles": OrganizationRole.choices,
        "project_roles": ProjectRole.choices,
    }
    return render(request, "projects/member_list.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def member_change(request: HttpRequest, project: str, member: str) -> HttpResponse:
    """Set the roles of a member; a role that the form doesn't send stays."""
    actor = actor_of(request)
    found = access.access_project(actor, project, "project.members")
    user, form = _member(found, member), RolesForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("There is no such role."))
        return redirect("member_list", found.slug)
    project_role = form.cleaned_data["project_role"] if "project_role" in form.data else None
    members.set_roles(
        actor,
        project=found,
        user=user,
        organization_role=form.cleaned_data["organization_role"] or None,
        project_role=project_role,
    )
    messages.success(request, _("The roles of %(email)s were changed.") % {"email": user.email})
    return redirect("member_list", found.slug)


@login_required
@require_POST
def member_remove(request: HttpRequest, project: str, member: str) -> HttpResponse:
    """Take somebody out of the organization and all its projects."""
    actor = actor_of(request)
    found = access.access_project(actor, project)
    user = _member(found, member)
    actions.remove_membership(actor, organization=found.organization, user=user)
    messages.success(request, _("%(email)s was removed.") % {"email": user.email})
    return redirect("/" if user == request.user else "member_list", *([] if user == request.user else [found.slug]))


def _added(actor: Actor, project: Project, form: MemberForm) -> bool:
    """Add the person that the form names, or leave the form with an error."""
    try:
        members.add_member(actor, project=project, **form.cleaned_data)
    except Problem as problem:
        for error in problem.errors:
            form.add_error(error.pointer.removeprefix("/"), error.detail)
        if not problem.errors:
            form.add_error(None, problem.detail)
        return False
    return True


def _member(project: Project, public_id: str) -> User:
    """Return a person of the project's organization. Raises ``not_found``."""
    key: uuid.UUID | None = ids.decode("user", public_id)
    people = User.objects.filter(memberships__organization=project.organization_id)
    user = people.filter(id=key).first() if key else None
    if user is None:
        raise not_found()
    return user
