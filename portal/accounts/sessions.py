"""Where somebody is signed in: listed with device, address and last use, ended one by one or all but this.

An ended session is gone from the store, so the next request that brings it is nobody's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from portal.accounts import trail
from portal.accounts.models import User, digest
from portal.core.errors import not_found

Handler = Callable[[HttpRequest], HttpResponse]
NOTED_EVERY = 5 * 60  # seconds
# In the order in which they are looked for: browsers name others beside themselves.
BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python-requests")
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "CrOS", "Linux")
NAMES = {"Edg": "Edge", "OPR": "Opera", "Mac OS X": "macOS", "CrOS": "ChromeOS"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A session as its person sees it."""

    row: UserSession
    device: str
    is_current: bool


def note_use(get_response: Handler) -> Handler:
    """Remember from where a session was last used, once in five minutes; one from before is listed from then on."""

    def middleware(request: HttpRequest) -> HttpResponse:
        key = request.session.session_key
        if key and request.user.is_authenticated and cache.add(f"session-seen:{digest(key)}", 1, NOTED_EVERY):
            UserSession.objects.create_from_request(request)
        return get_response(request)

    return middleware


def sessions_of(user: User) -> list[Seen]:
    """Return the living sessions of somebody, the one that asks first, then by last use."""
    rows = UserSession.objects.purge_and_list(user)
    found = [Seen(row, device(row.user_agent), row.is_current()) for row in rows]
    return sorted(found, key=lambda seen: (not seen.is_current, -seen.row.last_seen_at.timestamp()))


def access_session(user: User, pk: int) -> UserSession:
    """Return one of somebody's own sessions. Raises Problem ``not_found``."""
    row = UserSession.objects.filter(user=user, pk=pk).first()
    if row is None:
        raise not_found()
    return row


def end_session(request: HttpRequest, row: UserSession) -> None:
    """End one of one's own sessions; ending the present one signs out."""
    assert isinstance(request.user, User)  # noqa: S101
    trail.record(request, request.user, "user.session_end", changes={"sessions": [1, 0]})
    end_sessions(request, [row])


def end_others(request: HttpRequest) -> int:
    """End all of one's sessions but this, and return how many there were."""
    assert isinstance(request.user, User)  # noqa: S101
    others = [seen.row for seen in sessions_of(request.user) if not seen.is_current]
    trail.record(request, request.user, "user.session_end", changes={"sessions": [len(others) + 1, 1]})
    end_sessions(request, others)
    return len(others)


def end_all(user: User) -> int:
    """End every session of somebody, as when they are shut out or erased, and return how many there were."""
    rows = list(UserSession.objects.filter(user=user))
    for row in rows:
        row.end()
    return len(rows)


def device(user_agent: str) -> str:
    """Return what people call a browser and its system: ``Firefox on Linux``."""
    browser = next((NAMES.get(name, name) for name in BROWSERS if f"{name}/" in user_agent), "")
    system = next((NAMES.get(name, name) for name in SYSTEMS if name in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown device")
