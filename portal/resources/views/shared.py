"""The address behind a download link: no session is asked for, the link itself says for whom and how long it holds."""

from typing import cast

from django.http import FileResponse, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from portal.resources.actions.sharing import open_shared


@require_GET  # a HEAD is no download, and not recorded as one
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """Send the file that a link names. Audited as a download of who made the link."""
    address, request_id = str(request.META.get("REMOTE_ADDR", "")), str(getattr(request, "request_id", ""))
    artifact = open_shared(token, address=address, request_id=request_id)
    answer = FileResponse(artifact.stream, as_attachment=True, filename=artifact.filename)
    answer["Cache-Control"] = "private, no-store"
    return cast(HttpResponse, answer)
