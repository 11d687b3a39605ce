"""Streams what a run has made: a backup's dump."""

from django.db import transaction
from django.http import FileResponse
from django.utils.translation import gettext as _

from portal.clusters import reads
from portal.core.actors import Actor
from portal.core.errors import conflict
from portal.resources.actions import operations
from portal.resources.models import Child


def artifact_response(actor: Actor, child: Child) -> FileResponse:
    """Return the file that a finished run left, and record who took it. Raises Problem where there is none yet."""
    resource, name = child.resource, str(child.facts.get("artifact", ""))
    if child.state != "succeeded" or not name:
        detail = _("%(name)s is not complete, so there is nothing to download.") % {"name": child.name}
        raise conflict("transient_state", detail, resource_id=child.public_id, current_state=child.state)
    stream = reads.download(resource.cluster, resource.handle, name)
    with transaction.atomic():
        operations.note(actor, resource, "service.download", child=child)
    suffix = name.partition(".")[2]
    filename = f"{resource.name}-{child.name}{'.' if suffix else ''}{suffix}"
    response = FileResponse(stream, as_attachment=True, filename=filename, content_type="application/octet-stream")
    response["Cache-Control"] = "private, no-store"
    return response
