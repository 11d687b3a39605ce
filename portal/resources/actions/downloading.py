"""Handing out what a run has made, such as a backup: audited like revealing a secret, as it holds all data."""

from dataclasses import dataclass
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _

from portal.clusters import reads
from portal.core.actors import Actor
from portal.core.errors import conflict
from portal.projects import access
from portal.resources.actions import operations
from portal.resources.models import Child


@dataclass(frozen=True, slots=True)
class Artifact:
    """An open file and the name to save it under."""

    stream: BinaryIO
    filename: str


def require_artifact(child: Child) -> str:
    """Return the name of a finished run's file. Raises Problem where it has none."""
    name = str(child.facts.get("artifact") or "")
    if child.state != "succeeded" or not name:
        detail = _("%(name)s has no file to download.") % {"name": child.name}
        raise conflict("transient_state", detail, resource_id=child.public_id, current_state=child.state)
    return name


def open_artifact(actor: Actor, child: Child, *, reason: str = "") -> Artifact:
    """Open the file of a finished run. ``child.resource`` must be set; ``reason`` goes into the audit log.

    Raises Problem where it has none, and TemporaryError where the cluster does not answer.
    """
    resource = child.resource
    access.require(actor, resource.project, "service.secrets", on=resource.name)
    name = require_artifact(child)
    stream = reads.download(resource.cluster, resource.handle, name)
    with transaction.atomic():
        operations.note(actor, resource, "service.download", child=child, reason=reason)
    suffix = name[name.index(".") :] if "." in name else ""
    return Artifact(stream, f"{resource.name}-{child.name}{suffix}")
