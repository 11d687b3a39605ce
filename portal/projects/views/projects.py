"""Pages of a project: itself, switching to it, and a new one."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.accounts.actors import actor_of
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.projects import access, actions, queries
from portal.projects.forms import ProjectForm
from portal.projects.models import Project


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def project_detail(request: HttpRequest, project: str) -> HttpResponse:
    """Show a project; a POST makes it the one that the console shows, and goes back to ``next``."""
    actor = actor_of(request)
    found = access.access_project(actor, project)
    if request.method == "POST":
        return _switched(request, found)
    context = {
        "project": found,
        "current": queries.current_project(request, actor),
        "permissions": access.permissions_in(actor, found),
    }
    return render(request, "projects/project_detail.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def project_create(request: HttpRequest) -> HttpResponse:
    """Ask for a new project's name in one of the organizations where the person may make one."""
    actor = actor_of(request)
    form = ProjectForm(request.POST or None, access.visible_organizations(actor, "project.create"))
    if request.method == "POST" and form.is_valid():
        project = _create(request, form)
        if project is not None:
            messages.success(request, _("Project “%(name)s” is there.") % {"name": project.name})
            return _switched(request, project)
    status = 422 if form.errors else 200
    return render(request, "projects/project_create.html", {"form": form}, status=status)


def _create(request: HttpRequest, form: ProjectForm) -> Project | None:
    """Return the new project, or nothing and the form with its errors."""
    actor, data = actor_of(request), form.cleaned_data
    organization = access.access_organization(actor, data["organization"], "project.create")
    try:
        return actions.create_project(actor, organization=organization, name=data["name"], slug=data["slug"] or None)
    except Problem as problem:
        if not problem.errors:
            raise
        for error in problem.errors:
            form.add_error(error.pointer.removeprefix("/"), error.detail)
        return None


def _switched(request: HttpRequest, project: Project) -> HttpResponse:
    request.session[queries.SESSION_KEY] = project.slug
    goal = request.POST.get("next", "")
    return redirect(goal if url_has_allowed_host_and_scheme(goal, {request.get_host()}) else "/")
