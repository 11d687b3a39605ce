"""The API of one's personal data: a copy. Erasing takes a proof of who asks, so it is the console's alone."""

from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.decorators import api_view
from rest_framework.request import Request

from portal.accounts import privacy
from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.accounts.reauthentication import require_recent
from portal.core.api.pagination import known_parameters
from portal.core.api.schema import BINARY, described
from portal.core.errors import not_found


@described("GET", "me_data", "Download all that is held about you", answer=BINARY, media="application/zip")
@api_view(["GET"])
def data(request: Request) -> HttpResponseBase:
    """Return a zip of JSON files. Takes a token without scopes; that the copy was made is recorded."""
    known_parameters(request)
    if not isinstance(request.user, User):
        raise not_found()
    require_recent(request)
    made = privacy.archive(actor_of(request), request.user)
    name = f"personal-data-{timezone.now():%Y%m%d}.zip"
    return FileResponse(made, as_attachment=True, filename=name, content_type="application/zip")
