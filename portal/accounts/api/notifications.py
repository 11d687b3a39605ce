"""The API of what a person is told."""

from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import TypedDict

from portal.accounts import notices
from portal.accounts.actors import actor_of
from portal.core.api.pagination import choice, known_parameters, page
from portal.core.api.schema import described, query
from portal.core.api.serializers import Choice, Flag, Strict, Text, read
from portal.core.api.shapes import Moment, moment, public_id
from portal.notify import actions, kinds
from portal.notify.models import Notification

UNREAD = query("unread", "`true`: only what was not read.", {"type": "string", "enum": ["true", "false"]})


class ReadBody(Strict):
    """Which to mark as read; without ids all of them."""

    notifications = serializers.ListField(child=Text(max_length=40), max_length=200, required=False, allow_null=True)


class PreferenceBody(Strict):
    """Where a kind is to be told."""

    kind = Choice(choices=list(kinds.kinds()))
    console = Flag()
    mail = Flag()


class NotificationAnswer(TypedDict):
    """Something that the caller is told; ``link`` is a path of the console."""

    id: str
    kind: str
    text: str
    link: str
    organization: str | None
    created_at: Moment
    read_at: Moment | None


class ReadAnswer(TypedDict):
    """How many were not read before."""

    read: int


class PreferenceAnswer(TypedDict):
    """Where a kind is told; one that is ``fixed`` can't be switched off."""

    kind: str
    name: str
    console: bool
    mail: bool
    fixed: bool


def notification_answer(row: Notification) -> NotificationAnswer:
    return NotificationAnswer(
        id=row.public_id,
        kind=row.kind,
        text=kinds.sentence(row.kind, row.params),
        link=row.link,
        organization=public_id("org", row.organization_id),
        created_at=moment(row.created_at),
        read_at=moment(row.read_at),
    )


def preference_answer(found: notices.Choice) -> PreferenceAnswer:
    return PreferenceAnswer(
        kind=found.kind, name=str(found.name), console=found.console, mail=found.mail, fixed=found.is_fixed
    )


@described(
    "GET",
    "notifications_list",
    "List what you were told",
    answer=NotificationAnswer,
    paged=True,
    parameters=[UNREAD],
)
@api_view(["GET"])
def notifications(request: Request) -> Response:
    """List the caller's notifications, newest first. A token that is limited to some places sees none."""
    unread = choice(request, "unread", ("true", "false")) == "true"
    rows = notices.visible(actor_of(request), unread=unread)
    return page(request, rows, notification_answer, filters=("unread",))


@described("POST", "notifications_read", "Mark notifications as read", answer=ReadAnswer, body=ReadBody)
@api_view(["POST"])
def notifications_read(request: Request) -> Response:
    """Mark some notifications as read, or all."""
    actor = actor_of(request)
    person = notices.writer(actor, "notification.read")
    known_parameters(request)
    asked = read(request, ReadBody).get("notifications")
    chosen = None if asked is None else [notices.access_notification(actor, each).id for each in asked]
    return Response(ReadAnswer(read=actions.mark_read(person, notifications=chosen)))


@described(
    "GET", "notification_preferences_list", "List where you are told of what", answer=PreferenceAnswer, many=True
)
@described(
    "PUT", "notification_preferences_set", "Choose where you are told", answer=PreferenceAnswer, body=PreferenceBody
)
@api_view(["GET", "PUT"])
def notification_preferences(request: Request) -> Response:
    """List the choices of all kinds, or set those of one."""
    actor = actor_of(request)
    if request.method == "PUT":
        person = notices.writer(actor, "notification.prefer")
        known_parameters(request)
        body = read(request, PreferenceBody)
        actions.prefer(person, **body)
        return Response(next(preference_answer(c) for c in notices.choices(actor) if c.kind == body["kind"]))
    known_parameters(request)
    found = [preference_answer(each) for each in notices.choices(actor)]
    return Response({"items": found, "next_cursor": None, "total_count": len(found)})
