"""People and tokens in the admin site; a token's digest is never shown."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.accounts import actions
from portal.accounts.actors import actor_of
from portal.accounts.models import ApiToken, User
from portal.core.admin import ReadOnlyAdmin, operator_action


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


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "is_active", "is_operator", "is_support", "last_login", "created_at")
    list_filter = ("is_active", "is_operator", "is_support")
    search_fields = ("email", "name")
    ordering = ("email",)
    fields = ("public_id", "email", "name", "is_active", "is_operator", "is_support", "last_login", "created_at")
    readonly_fields = ("public_id", "created_at")
    actions = (deactivate, activate)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    operators_only = True
    list_display = ("name", "user", "hint", "scopes", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "hint", "user__email")
    fields = ("public_id", "user", "name", "hint", "scopes", "expires_at", "last_used_at", "created_at", "revoked_at")
    readonly_fields = ("public_id", "created_at")
    actions = (revoke,)
