"""The API of announcements: what goes on, and what was. Public, as the page is."""

from django.utils import timezone
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import TypedDict

from portal.core.api.pagination import choice, page
from portal.core.api.schema import described, query
from portal.core.api.shapes import Moment, moment
from portal.notify import queries
from portal.notify.models import Announcement, AnnouncementUpdate

BY_START = {"starts_at": "starts_at"}
PARAMETERS = [
    query("current", "`true`: only what goes on now.", {"type": "string", "enum": ["true", "false"]}),
    query("region", "Only what concerns this region, by slug."),
]


class UpdateAnswer(TypedDict):
    """What became known later."""

    at: Moment
    text: str


class AnnouncementAnswer(TypedDict):
    """What the provider announces; ``regions`` empty means everybody."""

    id: str
    kind: str
    severity: str
    title: str
    text: str
    regions: list[str]
    current: bool
    starts_at: Moment
    ends_at: Moment | None
    resolved_at: Moment | None
    updates: list[UpdateAnswer]


def announcement_answer(found: Announcement) -> AnnouncementAnswer:
    return AnnouncementAnswer(
        id=found.public_id,
        kind=found.kind,
        severity=found.severity,
        title=found.title,
        text=found.text,
        regions=found.regions,
        current=found.is_current(timezone.now()),
        starts_at=moment(found.starts_at),
        ends_at=moment(found.ends_at),
        resolved_at=moment(found.resolved_at),
        updates=[_update_answer(update) for update in found.updates.all()],
    )


def _update_answer(update: AnnouncementUpdate) -> UpdateAnswer:
    return UpdateAnswer(at=moment(update.at), text=update.text)


@described(
    "GET",
    "announcements_list",
    "List incidents, maintenance and notices",
    answer=AnnouncementAnswer,
    paged=True,
    parameters=PARAMETERS,
)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def announcements(request: Request) -> Response:
    """List what is announced, newest first: of the last 90 days, and what is still going on."""
    current = choice(request, "current", ("true", "false")) == "true"
    rows = queries.announcements_for(current=current, region=request.query_params.get("region"))
    filters = ("current", "region")
    return page(request, rows, announcement_answer, sorts=BY_START, default="-starts_at", filters=filters)
