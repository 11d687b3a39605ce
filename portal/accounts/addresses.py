"""Mail addresses of people and which of them are proven: by a code that was sent there, or by who made the account."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from django.db import transaction

from portal.accounts.models import User


def settle(user: User) -> None:
    """Give an account that the provider made (``adduser``, the first one) its address as a proven one.

    Whoever signs up, or comes from an identity provider, has a row from the beginning; every sign-in passes here.
    """
    if EmailAddress.objects.filter(user=user).exists():
        return
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        address = {"primary": True, "verified": not _is_taken(user)}
        EmailAddress.objects.get_or_create(user=user, email=user.email.lower(), defaults=address)


def vouch(user: User, emails: Iterable[str]) -> None:
    """Take addresses of somebody as proven, since an identity provider that is believed about them has said so."""
    for row in EmailAddress.objects.filter(user=user, email__in=[email.lower() for email in emails], verified=False):
        row.set_verified()


def proven(user: User) -> set[str]:
    """Return the addresses, in lower case, that are proven to be this person's. Writes nothing."""
    rows = list(EmailAddress.objects.filter(user=user).values_list("email", "verified"))
    if not rows:
        return set() if _is_taken(user) else {user.email.lower()}
    return {email.lower() for email, verified in rows if verified}


def owns(user: User, email: str) -> bool:
    """Tell whether a proven address is this person's."""
    return email.strip().lower() in proven(user)


def _is_taken(user: User) -> bool:
    return bool(EmailAddress.objects.filter(email=user.email.lower(), verified=True).exists())
