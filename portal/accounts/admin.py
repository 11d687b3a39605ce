"""People and tokens in the admin site; a token's digest is never shown."""

from collections.abc import Iterable
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.accounts import actions, helping, privacy
from portal.accounts.actors import actor_of
from portal.accounts.models import ApiToken, User
from portal.accounts.second_factor import FACTORS
from portal.core.admin import ReadOnlyAdmin, operator_action
from portal.core.attention import needs_a_look


@operator_action(_("Revoke"))
def revoke(request: HttpRequest, token: ApiToken, reason: str) -> None:
    """End somebody's token at once."""
    actions.revoke_token(actor_of(request), token, reason=reason)


@operator_action(_("Let nobody in as this person"))
def deactivate(request: HttpRequest, user: User, reason: str) -> None:
    """Shut out a person: sessions and tokens stop at the next request."""
    actions.set_active(actor_of(request), user, active=False, reason=reason)


@operator_action(_("Let this person in again"))
def activate(request: HttpRequest, user: User, reason: str) -> None:
    """Take back a deactivation."""
    actions.set_active(actor_of(request), user, active=True, reason=reason)


@operator_action(_("Take the second factor off"))
def reset_factor(request: HttpRequest, user: User, reason: str) -> None:
    """Help somebody who lost theirs; whoever has the lost one is out as well."""
    helping.reset_second_factor(actor_of(request), user, reason=reason)


@operator_action(_("Sign out everywhere"))
def end_sessions(request: HttpRequest, user: User, reason: str) -> None:
    """End all sessions of somebody."""
    helping.end_sessions(actor_of(request), user, reason=reason)


@operator_action(_("Erase by request"))
def erase(request: HttpRequest, user: User, reason: str) -> None:
    """Erase somebody who asked for it; nothing brings them back."""
    privacy.erase(actor_of(request), user, reason=reason)


WITH_FACTOR = Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS))


class FactorFilter(admin.SimpleListFilter):
    """Tells people with a second factor from those without."""

    title = _("second factor")
    parameter_name = "factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", str(_("With"))), ("no", str(_("Without")))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        wanted = {"yes": True, "no": False}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(WITH_FACTOR if wanted else ~WITH_FACTOR)


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "is_active", "factor", "is_operator", "is_support", "last_login", "created_at")
    list_filter = (
        "is_active",
        FactorFilter,
        "is_operator",
        "is_support",
        ("machine_of", admin.EmptyFieldListFilter),
        ("erased_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("email", "name")
    ordering = ("email",)
    fields = (
        "public_id",
        "email",
        "name",
        "is_active",
        "factor",
        "organizations",
        "is_operator",
        "is_support",
        "last_login",
        "created_at",
        "erased_at",
    )
    readonly_fields = ("public_id", "factor", "organizations", "created_at")
    actions = (deactivate, activate, reset_factor, end_sessions, erase)

    def idle_actions(self, user: User) -> Iterable[str]:
        yield "activate" if user.is_active or user.erased_at else "deactivate"
        if not self.factor(user):
            yield "reset_factor"
        if user.is_machine or user.erased_at:
            yield "end_sessions"
        if user.erased_at:
            yield from ("deactivate", "erase")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.annotate(has_factor=WITH_FACTOR)

    @admin.display(description=_("second factor"), boolean=True)
    def factor(self, user: User) -> bool:
        return bool(getattr(user, "has_factor", False))

    @admin.display(description=_("organizations"))
    def organizations(self, user: User) -> str:
        rows = user.memberships.select_related("organization").order_by("organization__slug")
        return ", ".join(f"{row.organization.slug} ({row.role})" for row in rows) or "–"


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    operators_only = True
    list_display = ("name", "user", "hint", "scopes", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "hint", "user__email")
    fields = ("public_id", "user", "name", "hint", "scopes", "expires_at", "last_used_at", "created_at", "revoked_at")
    readonly_fields = ("public_id", "created_at")
    actions = (revoke,)

    def idle_actions(self, token: ApiToken) -> Iterable[str]:
        return ("revoke",) if token.revoked_at else ()


@needs_a_look(_("Operators without a second factor"), "accounts_user", "factor=no&is_operator__exact=1", icon="shield")
def weak_operators() -> QuerySet[User]:
    return User.objects.filter(~WITH_FACTOR, is_operator=True, is_active=True)
