"""What a cluster refuses, in words that a customer can act on. The cluster's own words go to the operators' log."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from portal.clusters.backends.kubernetes import tenancy
from portal.clusters.backends.kubernetes.client import NOT_SERVED, Conflict, Refused, Stale
from portal.clusters.backends.kubernetes.place import Workplace
from portal.core.errors import PermanentError, TemporaryError

logger = logging.getLogger(__name__)
LONGEST = 300  # characters of a cluster's own words
_DENIED = re.compile(r"admission webhook \"[^\"]*\" denied the request:?\s*(.*)", re.DOTALL)
_POLICY = re.compile(r"ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request:?\s*(.*)", re.DOTALL)
_QUOTA = re.compile(r"exceeded quota: [^,]*, requested: (.*?), used: (.*?), limited: (.*)", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"unknown field \"([^\"]+)\"|\.(\S+): field not declared in schema")


@contextmanager
def explained(place: Workplace, what: str, *, secret: bool = False) -> Iterator[None]:
    """Around requests about ``what``, an object's kind: turn a refusal into words for the service's customer.

    ``secret``: what is sent nobody may read, and a refusal may quote it, so nothing of its words is kept.
    """
    try:
        yield
    except Refused as error:
        told = f"{error.status} {error.reason} (its words may quote the secret)" if secret else error.message
        logger.warning("%s of service %s was refused: %s", what, place.handle, told)
        if _namespace_is_away(error):
            tenancy.mistrust(place.cluster_id, place.row.namespace)
            away = TemporaryError("The place where this service lives is being made anew; we try again.")
            raise away from (None if secret else error)
        raise _unquoting(error, what) if secret else words(error, what) from (None if secret else error)
    except Stale as error:
        changed = TemporaryError(f"{what} was changed at the same moment by something else; we try again.")
        raise changed from (None if secret else error)


def _namespace_is_away(error: Refused) -> bool:
    if error.status == 404:
        return error.reason != NOT_SERVED and "namespaces" in error.message
    return error.status == 403 and any(cause.type == "NamespaceTerminating" for cause in error.causes)


def words(error: Refused, what: str) -> PermanentError | TemporaryError:
    """Return what a refusal means to a customer: what can be changed, or that an operator has to look."""
    text = error.message
    if found := _QUOTA.search(text):
        return PermanentError(
            f"The project's limits in this region do not allow it: {found[1]} more is asked for, {found[2]} of "
            f"{found[3]} is in use. Ask for a higher limit, or take something smaller."
        )
    if found := _DENIED.search(text) or _POLICY.search(text):
        return PermanentError(f"The region does not allow these settings: {_short(found[1]) or what}. Change them.")
    if isinstance(error, Conflict):
        return _conflict(error, what)
    if error.reason == NOT_SERVED:
        return PermanentError(f"This region does not serve {what} any more: an operator has to look.")
    if found := _UNKNOWN_FIELD.search(text):
        return PermanentError(
            f"This region's {what} does not know the setting {found[1] or found[2]}: an operator has to look."
        )
    return _plain(error, what)


def _conflict(error: Conflict, what: str) -> PermanentError:
    fields = ", ".join(cause.field.removeprefix(".") for cause in error.causes if cause.field)
    of = f" ({fields})" if fields else ""
    return PermanentError(f"Something else than this portal holds settings of {what}{of}: an operator has to look.")


def _unquoting(error: Refused, what: str) -> PermanentError | TemporaryError:
    return _plain(Refused(403 if error.status == 403 else 400, "", ""), what)


def _plain(error: Refused, what: str) -> PermanentError | TemporaryError:
    if error.status == 403:  # once the rights are given, it comes by itself
        return TemporaryError(f"The portal may not make {what} in this region: an operator has to look; we try again.")
    if error.status == 422:
        told = next((f"{cause.field}: {cause.message}" for cause in error.causes if cause.message), "")
        return PermanentError(f"The region refuses settings of {what}: {_short(told or error.message)}")
    return PermanentError(f"The region refuses {what}: an operator has to look.")


def _short(text: str) -> str:
    return (text.strip().splitlines() or [""])[0].strip(" .")[:LONGEST]
