"""Where passkeys work: a browser binds them to a name, never to an address, and takes HTTPS or this machine itself."""

from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.http import HttpRequest

from portal.accounts.actions import is_loopback


def works_here(request: HttpRequest) -> bool:
    """Tell whether the address that this page was opened at can have passkeys."""
    host = urlsplit(f"//{request.get_host()}").hostname or ""
    return host == "localhost" or (request.is_secure() and not _is_address(host))


def other_address(request: HttpRequest) -> str:
    """Return the same portal by a name under which they would work here, or nothing."""
    parts = urlsplit(f"//{request.get_host()}")
    if works_here(request) or not is_loopback(parts.hostname or "") or "localhost" not in settings.ALLOWED_HOSTS:
        return ""
    place = f"localhost:{parts.port}" if parts.port else "localhost"
    return urlunsplit((request.scheme, place, request.get_full_path(), "", ""))


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
