"""To which moments a service can be restored, where its log is archived: ``restoring`` asks before it orders."""

import datetime
from http import HTTPStatus

from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core.errors import FieldError, Problem, invalid
from portal.resources.models import Resource


def require_moment(resource: Resource, time: datetime.datetime) -> None:
    """Raise Problem where the service's kind of region has no archive, or the archive does not reach to ``time``."""
    capability = resource.offering.capabilities.pitr.on(resource.cluster.kind)
    if not capability:
        raise _refused("not_supported", _no_point_in_time(str(getattr(capability, "reason", ""))))
    since = earliest(resource)
    if since is None:
        detail = _("%(name)s has no backup yet. Make one first; its log is kept from the end of that.")
        words = detail % {"name": resource.name}
        raise Problem("backup_missing", HTTPStatus.CONFLICT, words, extra={"resource_id": resource.public_id})
    now = timezone.now()
    if not since <= time <= now:
        detail = _("Choose a moment between %(since)s and now.") % {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        raise invalid(FieldError("/time", "out_of_range", detail))


def earliest(resource: Resource) -> datetime.datetime | None:
    """Return the earliest moment that the archive reaches back to, as the backend told it; None without an archive."""
    if not resource.offering.capabilities.pitr.on(resource.cluster.kind):
        return None
    try:
        found = datetime.datetime.fromisoformat(str(resource.facts.get("recoverable_from") or ""))
    except ValueError:
        return None
    return found.astimezone(datetime.UTC) if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _no_point_in_time(reason: str) -> str:
    return _("Restoring to a point in time is not possible here: %(reason)s") % {"reason": reason}


def _refused(code: str, detail: str) -> Problem:
    errors = (FieldError("/time", code, detail),)
    return Problem(code, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)
