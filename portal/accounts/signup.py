"""Who may make an account by themselves: everybody where ``SIGN_UP`` is on, else who was invited, with that address."""

from django.conf import settings
from django.http import HttpRequest

INVITED = "invited"  # key in the session


def welcome(request: HttpRequest, email: str) -> None:
    """Let the browser that opened an invitation sign up with the address that it was for."""
    request.session[INVITED] = email.strip().lower()


def invited(request: HttpRequest) -> str:
    """Return the address that this browser was invited with, or nothing."""
    return str(request.session.get(INVITED, ""))


def is_open(request: HttpRequest) -> bool:
    """Tell whether this browser may sign up at all."""
    return bool(settings.SIGN_UP or invited(request))


def is_open_for(request: HttpRequest, email: str) -> bool:
    """Tell whether it may with this address; without ``SIGN_UP`` only the invited one will do."""
    return bool(settings.SIGN_UP) or email.strip().lower() == invited(request)
