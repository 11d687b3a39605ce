"""Counts tries at signing in, by address and by mail address, and says when there were too many; also for the log."""

from http import HTTPStatus

from django.core.cache import cache
from django.utils.translation import gettext as _

from portal.accounts.models import digest
from portal.core.errors import Problem

WINDOW = 15 * 60  # seconds
PER_ADDRESS = 30
PER_EMAIL = 10
ROWS, ROWS_OF_NOBODY = 2000, 200  # of the audit log in a window, so that nobody fills it


def count_try(*, address: str, email: str) -> None:
    """Count a try at a password. Raises Problem ``rate_limited`` where there were too many in fifteen minutes."""
    by_address, by_email = _count(f"address:{address}"), _count(f"email:{email.strip().lower()}")
    if by_address > PER_ADDRESS or by_email > PER_EMAIL:
        detail = _("Too many tries. Wait fifteen minutes, then try again.")
        raise Problem("rate_limited", HTTPStatus.TOO_MANY_REQUESTS, detail, retryable=True)


def is_worth_a_row(*, somebody: bool) -> bool:
    """Tell whether a try in vain still goes into the audit log: at an account that is there, or at none.

    The two are counted apart, so that noise about nobody hides no attack on somebody.
    """
    return _count(f"rows:{somebody}") <= (ROWS if somebody else ROWS_OF_NOBODY)


def forget_tries(*, email: str) -> None:
    """Begin anew for a person who got in."""
    cache.delete(_key(f"email:{email.strip().lower()}"))


def _count(what: str) -> int:
    key = _key(what)
    cache.add(key, 0, WINDOW)
    try:
        return cache.incr(key)
    except ValueError:  # it ran out in between
        return 1


def _key(what: str) -> str:
    return f"sign-in-tries:{digest(what)}"
