"""What an organization asks of its members: a second factor. Without one they get to no page but their account's.

API tokens go on working: they are made for programs, which have no second factor.
"""

from collections.abc import Callable
from http import HTTPStatus

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from portal.accounts.actors import account_of
from portal.accounts.models import User
from portal.accounts.second_factor import FACTORS, has_second_factor, way_to_strength
from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import Problem, conflict
from portal.core.htmx import wants_partial
from portal.core.middleware import as_json
from portal.projects import access
from portal.projects.models import Membership, Organization

Handler = Callable[[HttpRequest], HttpResponse]
# The way in and out, one's own account, and what machines ask. Tokens are no part of it: one would go past the policy.
FREE = ("/account", "/sign-in", "/sign-out", "/sign-up", "/confirm-address", "/password/", "/static/")
FREE_EXACTLY = ("/healthz", "/readyz", "/metrics")
TOKENS = "/account/tokens"


def set_policy(actor: Actor, organization: Organization, *, mfa_required: bool) -> None:
    """Say whether members need a second factor.

    Raises Problem: ``permission_denied``; ``organization_closed``; ``second_factor_missing`` for a person who would
    shut themselves out.
    """
    access.require_in_organization(actor, organization, "organization.edit", on=organization.slug)
    access.require_open(organization)
    if mfa_required and not _has_own_factor(actor):
        detail = _("Add a second factor to your own account first, so that you don't shut yourself out.")
        raise conflict("second_factor_missing", detail)
    with transaction.atomic():
        rows = Organization.objects.filter(pk=organization.pk, mfa_required=not mfa_required)
        if rows.update(mfa_required=mfa_required):
            organization.mfa_required = mfa_required
            _record(actor, organization, mfa_required)


def without_factor(organization: Organization) -> int:
    """Return how many members would be led to enroll."""
    return _lacking(
        Membership.objects.filter(organization=organization, user__machine_of=None, user__is_active=True)
    ).count()


def ask_for_second_factor(get_response: Handler) -> Handler:
    """Lead members of an organization that asks for a second factor to enroll one before any other page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if _is_free(request) or not isinstance(request.user, User) or not _must_enroll(request.user):
            return get_response(request)
        if request.path.startswith("/api/"):
            return as_json(request, _missing())
        goal = request.get_full_path() if request.method == "GET" and not wants_partial(request) else "/"
        url = way_to_strength(request, goal)
        return HttpResponseClientRedirect(url) if wants_partial(request) else HttpResponseRedirect(url)

    return middleware


def _is_free(request: HttpRequest) -> bool:
    by_token = request.path.startswith("/api/") and "Authorization" in request.headers
    if by_token or request.session.session_key is None:
        return True
    free = request.path.startswith(FREE) or request.path in FREE_EXACTLY
    return free and not request.path.startswith(TOKENS)


def _must_enroll(user: User) -> bool:
    asking = Membership.objects.filter(user=user, organization__mfa_required=True, organization__closed_at=None)
    return _lacking(asking).exists()


def _lacking(memberships: QuerySet[Membership]) -> QuerySet[Membership]:
    factors = Authenticator.objects.filter(user_id=OuterRef("user_id"), type__in=FACTORS)
    return memberships.filter(~Exists(factors))


def _has_own_factor(actor: Actor) -> bool:
    user = User.objects.filter(id=account_of(actor)).first()
    return actor.kind != "user" or (user is not None and has_second_factor(user))


def _missing() -> Problem:
    detail = _("Your organization asks for a second factor. Add one under Account, Security.")
    return Problem("second_factor_required", HTTPStatus.FORBIDDEN, detail)


def _record(actor: Actor, organization: Organization, mfa_required: bool) -> None:
    audit.record(
        actor=actor,
        action="organization.set_policy",
        target_kind="organization",
        target_id=organization.id,
        target_name=organization.slug,
        organization_id=organization.id,
        changes={"mfa_required": [not mfa_required, mfa_required]},
    )
