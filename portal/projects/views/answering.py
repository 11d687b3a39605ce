"""The page behind an invitation's link: who invites into what, accept or decline. It tells no address to anybody."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.accounts import signup
from portal.accounts.actors import actor_of
from portal.core.errors import Problem
from portal.projects import answering
from portal.projects.models import Invitation, OrganizationRole, ProjectRole


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation to whom it is for; lead others to sign in, to sign up, or away."""
    actor = actor_of(request)
    try:
        if request.method == "POST" and request.user.is_authenticated:
            return _answer(request, token)
        look = answering.look(actor, token)
    except Problem as problem:
        if problem.code not in ("invitation_gone", "not_your_invitation"):
            raise
        state = "gone" if problem.code == "invitation_gone" else "wrong"
        return render(request, "projects/invitation.html", {"state": state}, status=problem.status)
    if not request.user.is_authenticated:
        return render(request, "projects/invitation.html", _ways_in(request, look.invitation))
    if not look.is_theirs:
        return render(request, "projects/invitation.html", {"state": "wrong"}, status=403)
    return render(request, "projects/invitation.html", _shown(look.invitation))


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    actor = actor_of(request)
    if request.POST.get("answer") == "decline":
        answering.decline(actor, token)
        messages.success(request, _("You have declined the invitation."))
        return redirect("/")
    organization = answering.accept(actor, token)
    messages.success(request, _("You belong to %(name)s now.") % {"name": organization.name})
    return redirect("organization_detail", organization.slug)


def _ways_in(request: HttpRequest, invitation: Invitation) -> dict[str, object]:
    here = urlencode({"next": request.path})
    signup.welcome(request, invitation.email)
    return {
        "state": "stranger",
        "organization": invitation.organization,
        "sign_in_url": f"{reverse('sign_in')}?{here}",
        "sign_up_url": f"{url}?{here}" if (url := _sign_up()) else "",
    }


def _sign_up() -> str:
    """Return where an account is made; nothing where this portal has no sign-up."""
    try:
        return reverse("account_signup")
    except NoReverseMatch:
        return ""


def _shown(invitation: Invitation) -> dict[str, object]:
    projects = invitation.organization.projects.filter(slug__in=invitation.project_roles).order_by("name")
    return {
        "state": "theirs",
        "invitation": invitation,
        "organization": invitation.organization,
        "role": OrganizationRole(invitation.role).label,
        "projects": [(project.name, ProjectRole(invitation.project_roles[project.slug]).label) for project in projects],
    }
