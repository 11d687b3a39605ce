"""Pages of an organization's service accounts: the list, one with its tokens, and what is done to it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.accounts.queries import living_tokens_of
from portal.accounts.reauthentication import ask_again, is_recent
from portal.accounts.token_forms import TokenForm, rows_of
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.htmx import done, signed_in
from portal.projects import access, machines
from portal.projects.machine_forms import SHOWN, MachineForm, initial_of
from portal.projects.models import Organization, OrganizationRole
from portal.projects.tabs import tabs_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def machine_list(request: HttpRequest, organization: str) -> HttpResponse:
    """List service accounts; a POST makes one and goes on to it, where its first token is made."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, machines.PERMISSION)
    form = _form(request, actor, found)
    if request.method == "POST" and form.is_valid():
        try:
            data = form.cleaned_data
            roles = {"role": data["role"], "project_roles": form.project_roles}
            made = machines.create(actor, organization=found, name=data["name"], **roles)
            messages.success(request, _("“%(name)s” is there. Make a token for it.") % {"name": made.name})
            return redirect("machine_detail", found.slug, made.public_id)
        except Problem as problem:
            form.show(problem)
    context = {
        "organization": found,
        "tabs": tabs_of(actor, found, "machines"),
        "machines": [_row(machine) for machine in machines.machines_of(found).order_by("name", "pk")],
        "form": form,
    }
    return render(request, "projects/machine_list.html", context, status=422 if form.errors else 200)


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def machine_detail(request: HttpRequest, organization: str, account: str) -> HttpResponse:
    """Show one with its tokens; a POST makes a token, whose plain text is in this one answer and nowhere else."""
    if request.method == "POST" and not is_recent(request):
        return ask_again(request)
    actor, plain = actor_of(request), ""
    found, machine = _reach(actor, organization, account)
    projects = [(project.slug, project.name) for project in found.projects.all()]
    form = TokenForm(request.POST if request.method == "POST" else None, projects=projects)
    if request.method == "POST" and form.is_valid():
        try:
            wish = {"name": form.cleaned_data["name"], "scopes": form.scopes, "expires_at": form.expires_at}
            plain = machines.make_token(actor, organization=found, machine=machine, **wish)[1]
            form = TokenForm(projects=projects)
        except Problem as problem:
            form.show(problem)
    return _page(request, actor, found, machine, form=form, plain=plain, status=422 if form.errors else 200)


@signed_in
@require_POST
def machine_change(request: HttpRequest, organization: str, account: str) -> HttpResponse:
    """Set name and roles."""
    actor = actor_of(request)
    found, machine = _reach(actor, organization, account)
    form = _form(request, actor, found, machine)
    if form.is_valid():
        try:
            given = {"name": form.cleaned_data["name"], "role": form.cleaned_data["role"]}
            kept = {slug: role for slug, role in machines.project_roles_of(machine).items() if not form.has(slug)}
            roles = kept | form.project_roles
            machines.change(actor, organization=found, machine=machine, project_roles=roles, **given)
            messages.success(request, _("Saved."))
            return redirect("machine_detail", found.slug, machine.public_id)
        except Problem as problem:
            form.show(problem)
    return _page(request, actor, found, machine, settings=form, status=422)


@signed_in
@require_POST
def machine_active(request: HttpRequest, organization: str, account: str) -> HttpResponse:
    """Shut it out, or let it in again; its tokens stay and work only while it is active."""
    actor = actor_of(request)
    found, machine = _reach(actor, organization, account)
    active = request.POST.get("active") == "yes"
    machines.change(actor, organization=found, machine=machine, active=active)
    words = _("It is active; its tokens work.") if active else _("It is inactive; its tokens stopped working at once.")
    messages.success(request, words)
    return redirect("machine_detail", found.slug, machine.public_id)


@signed_in
@require_POST
def machine_delete(request: HttpRequest, organization: str, account: str) -> HttpResponse:
    """Take it away, once its name has been typed."""
    actor = actor_of(request)
    found, machine = _reach(actor, organization, account)
    if request.POST.get("confirm", "").strip() != machine.name:
        return _page(request, actor, found, machine, error=_("This is not its name."), status=422)
    machines.delete(actor, organization=found, machine=machine)
    messages.success(request, _("“%(name)s” was deleted; its tokens stopped working at once.") % {"name": machine.name})
    return redirect("machine_list", found.slug)


@signed_in
@require_POST
def machine_token_revoke(request: HttpRequest, organization: str, account: str, machine_token: str) -> HttpResponse:
    actor = actor_of(request)
    found, machine = _reach(actor, organization, account)
    machines.revoke_token(actor, organization=found, token=machines.access_token(actor, machine, machine_token))
    page = reverse("machine_detail", args=[found.slug, machine.public_id])
    return done(request, page, _("The token was revoked. It stopped working at once."))


def _reach(actor: Actor, organization: str, account: str) -> tuple[Organization, User]:
    found = access.access_organization(actor, organization, machines.PERMISSION)
    return found, machines.access_machine(actor, found, account)


def _form(request: HttpRequest, actor: Actor, organization: Organization, machine: User | None = None) -> MachineForm:
    """Return the form of a new one, or of one that is there, whose role may be one that the actor could not give."""
    roles = machines.roles_for(actor, organization)
    initial = None
    if machine is not None:
        role = machines.role_of(machine)
        roles += [OrganizationRole(role)] if role and OrganizationRole(role) not in roles else []
        initial = initial_of(machine.name, role, machines.project_roles_of(machine))
    data = request.POST if request.method == "POST" and "role" in request.POST else None
    return MachineForm(data, roles=roles, projects=organization.projects.all()[:SHOWN], initial=initial)


def _row(machine: User) -> dict[str, object]:
    role = machines.role_of(machine)
    return {
        "machine": machine,
        "role": OrganizationRole(role).label if role else "",
        "project_roles": machines.project_roles_of(machine),
    }


def _page(
    request: HttpRequest,
    actor: Actor,
    organization: Organization,
    machine: User,
    *,
    form: TokenForm | None = None,
    settings: MachineForm | None = None,
    plain: str = "",
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    projects = [(project.slug, project.name) for project in organization.projects.all()]
    context = {
        "organization": organization,
        "tabs": tabs_of(actor, organization, "machines"),
        **_row(machine),
        "tokens": rows_of(
            living_tokens_of(machine, actor.scopes),
            lambda token: reverse("machine_token_revoke", args=[organization.slug, machine.public_id, token.public_id]),
        ),
        "form": form or TokenForm(projects=projects),
        "settings": settings or _form(request, actor, organization, machine),
        "plain": plain,
        "error": error,
    }
    return render(request, "projects/machine_detail.html", context, status=status)
