"""The API of an organization's webhooks. Secrets are in the answers that make them and nowhere else."""

from rest_framework import serializers, status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import TypedDict

from portal.accounts.actors import actor_of
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters, page
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import Choice, Flag, NoBody, Strict, Text, read
from portal.core.api.shapes import Moment, moment, public_id
from portal.notify import actions, kinds, queries
from portal.notify.actions import Wanted
from portal.notify.models import Attempt, Delivery, Webhook
from portal.projects import access, webhooks


class WebhookBody(Strict):
    """A new webhook; ``project`` is a slug or an id, without one it hears of all projects. No types means all."""

    url = Text(max_length=2000, allow_blank=False)
    description = Text(max_length=200, required=False, default="")
    event_types = serializers.ListField(
        child=Choice(choices=list(kinds.EVENT_TYPES)), max_length=50, required=False, default=list
    )
    project = Text(max_length=80, required=False, allow_null=True, default=None)
    enabled = Flag(required=False, default=True)


class WebhookChange(Strict):
    """What to change of a webhook. Another address brings a new secret, which the answer tells."""

    url = Text(max_length=2000, allow_blank=False, required=False)
    description = Text(max_length=200, required=False)
    event_types = serializers.ListField(child=Choice(choices=list(kinds.EVENT_TYPES)), max_length=50, required=False)
    enabled = Flag(required=False)


class WebhookAnswer(TypedDict):
    """Where an organization is told. ``disabled_reason``: why the portal switched it off, ``gone`` or ``failing``."""

    id: str
    url: str
    description: str
    event_types: list[str]
    project: str | None
    enabled: bool
    disabled_reason: str
    failing_since: Moment | None
    retired_secret_until: Moment | None
    created_at: Moment


class WebhookWithSecret(WebhookAnswer):
    """A webhook with the secret that was just made, or null where it has the one it had."""

    secret: str | None


class AttemptAnswer(TypedDict):
    """One try: the status that came back, or why none did."""

    at: Moment
    status: int | None
    error: str
    milliseconds: int


class DeliveryAnswer(TypedDict):
    """An event on its way to a webhook, with each try."""

    id: str
    event: str
    type: str
    subject: str
    state: str
    attempts: list[AttemptAnswer]
    next_attempt_at: Moment | None
    created_at: Moment
    finished_at: Moment | None


def webhook_answer(webhook: Webhook) -> WebhookAnswer:
    return WebhookAnswer(
        id=webhook.public_id,
        url=webhook.url,
        description=webhook.description,
        event_types=webhook.event_types,
        project=public_id("proj", webhook.project_id),
        enabled=webhook.enabled,
        disabled_reason=webhook.disabled_reason,
        failing_since=moment(webhook.failing_since),
        retired_secret_until=moment(webhook.old_secret_until),
        created_at=moment(webhook.created_at),
    )


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    waits = delivery.state == Delivery.State.PENDING
    return DeliveryAnswer(
        id=delivery.public_id,
        event=delivery.happening.public_id,
        type=delivery.happening.type,
        subject=delivery.happening.subject,
        state=delivery.state,
        attempts=[_attempt_answer(attempt) for attempt in delivery.tries.all()],
        next_attempt_at=moment(delivery.next_at) if waits else None,
        created_at=moment(delivery.created_at),
        finished_at=moment(delivery.finished_at),
    )


def _attempt_answer(attempt: Attempt) -> AttemptAnswer:
    return AttemptAnswer(
        at=moment(attempt.at), status=attempt.status, error=attempt.error, milliseconds=attempt.milliseconds
    )


@described("GET", "webhooks_list", "List an organization's webhooks", answer=WebhookAnswer, paged=True)
@described(
    "POST",
    "webhooks_create",
    "Make a webhook; its secret is in this answer alone",
    answer=WebhookWithSecret,
    status=201,
    body=WebhookBody,
)
@api_view(["GET", "POST"])
def organization_webhooks(request: Request, organization: str) -> Response:
    """List webhooks, or make one. No Idempotency-Key: a kept answer would keep the secret."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, webhooks.PERMISSION)
    if request.method == "GET":
        return page(request, queries.webhooks_of(found.id), webhook_answer)
    known_parameters(request)
    body = read(request, WebhookBody)
    wanted = Wanted(body["url"], body["description"], body["event_types"], body["enabled"])
    made, secret = webhooks.create(actor, organization=found, wanted=wanted, project=body["project"] or "")
    headers = {"Location": f"/api/v1/organizations/{found.public_id}/webhooks/{made.public_id}"}
    answer = WebhookWithSecret(**webhook_answer(made), secret=secret)
    return Response(answer, status=status.HTTP_201_CREATED, headers=headers)


@described("GET", "webhooks_get", "Show a webhook", answer=WebhookAnswer)
@described("PATCH", "webhooks_change", "Change a webhook", answer=WebhookWithSecret, body=WebhookChange)
@described("DELETE", "webhooks_delete", "Delete a webhook with its log", status=204)
@api_view(["GET", "PATCH", "DELETE"])
def organization_webhook(request: Request, organization: str, webhook: str) -> Response:
    """Show, change or delete one webhook."""
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    known_parameters(request)
    if request.method == "DELETE":
        actions.delete_webhook(actor, place.webhook)
        return Response(status=status.HTTP_204_NO_CONTENT)
    if request.method == "GET":
        return Response(webhook_answer(place.webhook))
    changed, secret = actions.change_webhook(actor, place.webhook, wanted=Wanted(**read(request, WebhookChange)))
    return Response(WebhookWithSecret(**webhook_answer(changed), secret=secret or None))


@described(
    "POST",
    "webhooks_rotate",
    "Make a new secret; the one before signs as well for a day",
    answer=WebhookWithSecret,
    body=NoBody,
)
@api_view(["POST"])
def organization_webhook_rotate(request: Request, organization: str, webhook: str) -> Response:
    """Rotate the secret. No Idempotency-Key: a kept answer would keep it."""
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    known_parameters(request)
    read(request, NoBody)
    changed, secret = actions.rotate_secret(actor, place.webhook)
    return Response(WebhookWithSecret(**webhook_answer(changed), secret=secret))


@described(
    "POST",
    "webhooks_test",
    "Send a test to a webhook",
    answer=DeliveryAnswer,
    status=201,
    body=NoBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def organization_webhook_test(request: Request, organization: str, webhook: str) -> Response:
    """Send a test, also to a webhook that is switched off."""
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    known_parameters(request)
    read(request, NoBody)
    return once(request, actor.id, lambda: _made(actions.send_test(actor, place.webhook)))


@described("GET", "webhook_deliveries_list", "List what was sent to a webhook", answer=DeliveryAnswer, paged=True)
@api_view(["GET"])
def organization_webhook_deliveries(request: Request, organization: str, webhook: str) -> Response:
    """List deliveries, the newest first; they are kept for 30 days."""
    place = webhooks.access_webhook(actor_of(request), organization, webhook)
    return page(request, queries.deliveries_of(place.webhook), delivery_answer)


@described("GET", "webhook_deliveries_get", "Show a delivery", answer=DeliveryAnswer)
@api_view(["GET"])
def organization_webhook_delivery(request: Request, organization: str, webhook: str, delivery: str) -> Response:
    """Show one delivery with each try."""
    place = webhooks.access_webhook(actor_of(request), organization, webhook)
    known_parameters(request)
    return Response(delivery_answer(webhooks.access_delivery(place, delivery)))


@described(
    "POST",
    "webhook_deliveries_replay",
    "Send an event again",
    answer=DeliveryAnswer,
    status=201,
    body=NoBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["POST"])
def organization_webhook_replay(request: Request, organization: str, webhook: str, delivery: str) -> Response:
    """Send the same event with the same id once more, as a delivery of its own."""
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    found = webhooks.access_delivery(place, delivery)
    known_parameters(request)
    read(request, NoBody)
    return once(request, actor.id, lambda: _made(actions.replay(actor, found)))


def _made(delivery: Delivery) -> Response:
    return Response(delivery_answer(delivery), status=status.HTTP_201_CREATED)
