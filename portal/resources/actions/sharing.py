"""Short links to a backup's file, for curl and the like: signed, ten minutes long, never more than its maker may do."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from portal.accounts.actors import actor_for
from portal.accounts.models import ApiToken, User
from portal.core.actors import Actor
from portal.core.errors import not_found
from portal.projects import access
from portal.resources.access import visible_resources
from portal.resources.actions import operations
from portal.resources.actions.downloading import Artifact, open_artifact, require_artifact
from portal.resources.models import Child

SALT = "archipel.download"
VALID_FOR = datetime.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A path on this portal, and until when it answers."""

    path: str
    expires_at: datetime.datetime


@transaction.atomic
def share(actor: Actor, child: Child) -> SharedLink:
    """Make a link to the file of a finished run. Audited; raises Problem where it has none. It holds for this actor."""
    access.require(actor, child.resource.project, "service.secrets", on=child.resource.name)
    require_artifact(child)
    content = {"child": str(child.id), "user": str(actor.id), "token": str(actor.token_id) if actor.token_id else None}
    expires_at = timezone.now() + VALID_FOR
    operations.note(actor, child.resource, "service.download_link", child=child)
    token = signing.dumps(content, salt=SALT)
    return SharedLink(reverse("resources:shared_download", args=[token]), expires_at)


def open_shared(token: str, *, address: str, request_id: str) -> Artifact:
    """Open the file that a link names, as who made it and with what they may do today.

    Raises ``not_found`` for a link that is expired, altered, or of somebody who may not see secrets any more.
    """
    try:
        content = signing.loads(token, salt=SALT, max_age=VALID_FOR)
    except signing.BadSignature as error:
        raise not_found() from error
    actor = _maker(content, address, request_id)
    rows = Child.objects.filter(resource__in=visible_resources(actor, "service.secrets"))
    rows = rows.select_related("resource__project__organization", "resource__region", "resource__cluster")
    child = rows.filter(id=content["child"]).first()
    if child is None:
        raise not_found()
    return open_artifact(actor, child, reason="by link")


def _maker(content: dict[str, Any], address: str, request_id: str) -> Actor:
    """Return who made the link, narrowed to the API token that it was made with, which must still be alive."""
    user = User.objects.filter(id=content["user"], is_active=True).first()
    token = ApiToken.objects.filter(id=content["token"], user=user).first() if content["token"] else None
    if user is None or (content["token"] and (token is None or not token.is_alive)):
        raise not_found()
    return actor_for(user, token, address=address, request_id=request_id)
