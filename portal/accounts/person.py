"""Verbs on one's own account beside signing in: its name, and the providers that it is linked with."""

from allauth.socialaccount.internal.flows.connect import disconnect, validate_disconnect
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from portal.accounts import second_factor, trail
from portal.accounts.models import User
from portal.core import texts
from portal.core.errors import invalid, not_found


def set_name(request: HttpRequest, user: User, *, name: str) -> None:
    """Change what the portal calls somebody. Raises Problem ``invalid_arguments``. The row tells that, not to what."""
    name = name.strip()
    if errors := texts.errors("/name", name):
        raise invalid(*errors)
    with transaction.atomic():
        if User.objects.filter(pk=user.pk).exclude(name=name).update(name=name):
            trail.record(request, user, "user.edit", changes={"fields": ["name", "name"]})


def unlink(request: HttpRequest, user: User, link: int) -> str:
    """Let go of a provider and return nothing, or return why the account would be left without a way in.

    Raises Problem ``not_found`` for a link that is not this person's.
    """
    account = SocialAccount.objects.filter(user=user, pk=link).first()
    if account is None:
        raise not_found()
    try:
        if not second_factor.has_passkey(user):
            validate_disconnect(request, account)
    except ValidationError as error:
        return str(error.messages[0])
    disconnect(request, account)
    return ""
