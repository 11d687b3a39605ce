"""Writes how deliveries went: done, tried again later, given up; and switches off a webhook that is gone for long."""

import datetime
import random
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from portal.audit import actions as audit
from portal.core.actors import SYSTEM
from portal.notify.actions.telling import tell
from portal.notify.actions.webhooks import drop_waiting
from portal.notify.audience import audience
from portal.notify.models import Attempt, Delivery, Webhook

# Ten tries over about 75 hours, the schedule that Standard Webhooks 1.0.0 gives as an example.
PAUSES = (
    datetime.timedelta(seconds=5),
    datetime.timedelta(minutes=5),
    datetime.timedelta(minutes=30),
    *(datetime.timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
TRIES = len(PAUSES) + 1
LONG = datetime.timedelta(hours=72)  # of failures alone: given up with the first delivery that is
SLOW_MILLISECONDS = 2000
WHY = {
    "gone": gettext_noop("it answered 410 Gone."),
    "failing": gettext_noop("nothing could be delivered for three days."),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try went: a status that came back, or an error."""

    delivery: Delivery
    at: datetime.datetime
    status: int | None
    error: str
    milliseconds: int

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def settle(webhook: Webhook, outcomes: Iterable[Outcome], untried: Iterable[Delivery]) -> None:
    """Write what one webhook's thread brought, in a transaction; what was moved or dropped meanwhile stays so."""
    held = Webhook.objects.select_for_update().filter(id=webhook.id).first()
    if held is None:
        return
    for outcome in outcomes:
        if _write(outcome) and held.url == webhook.url:
            _judge(held, outcome)
    for delivery in untried:
        _mine(delivery).update(lease_until=None)
    held.save(update_fields=["failing_since", "is_slow", "enabled", "disabled_reason"])


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(id=delivery.id, fence=delivery.fence, state=Delivery.State.PENDING)


def _write(outcome: Outcome) -> bool:
    """Write one try, if the claim still holds."""
    delivery, attempts = outcome.delivery, outcome.delivery.attempts + 1
    state, due, finished = Delivery.State.PENDING, delivery.next_at, None
    if outcome.is_success:
        state, finished = Delivery.State.DELIVERED, timezone.now()
    elif attempts >= TRIES or outcome.status == HTTPStatus.GONE:
        state, finished = Delivery.State.FAILED, timezone.now()
    else:
        jitter = random.uniform(0.9, 1.2)  # noqa: S311 - spreads load, keeps no secret
        due = timezone.now() + PAUSES[attempts - 1] * jitter
    written = _mine(delivery).update(
        state=state, attempts=attempts, next_at=due, lease_until=None, finished_at=finished
    )
    if written:
        Attempt.objects.create(
            delivery=delivery,
            at=outcome.at,
            status=outcome.status,
            error=outcome.error[:300],
            milliseconds=outcome.milliseconds,
        )
        delivery.state = state
    return bool(written)


def _judge(webhook: Webhook, outcome: Outcome) -> None:
    """Lay what a try means over the webhook."""
    webhook.is_slow = not outcome.is_success or outcome.milliseconds > SLOW_MILLISECONDS
    if outcome.is_success:
        webhook.failing_since = None
        return
    webhook.failing_since = webhook.failing_since or outcome.at
    if outcome.status == HTTPStatus.GONE:
        _switch_off(webhook, "gone")
    elif outcome.delivery.state == Delivery.State.FAILED and webhook.failing_since <= outcome.at - LONG:
        _switch_off(webhook, "failing")


def _switch_off(webhook: Webhook, reason: str) -> None:
    if not webhook.enabled:
        return
    webhook.enabled, webhook.disabled_reason = False, reason
    drop_waiting(webhook)
    audit.record(
        actor=SYSTEM,
        action="webhook.disable",
        target_kind="webhook",
        target_id=webhook.id,
        target_name=webhook.label,
        organization_id=webhook.organization_id,
        project_id=webhook.project_id,
        changes={"enabled": [True, False]},
        reason=reason,
    )
    tell(
        audience().people(webhook.organization_id, "organization.webhooks"),
        "webhook.disabled",
        params={"host": webhook.host, "why": WHY[reason]},
        link=webhook.path,
        organization_id=webhook.organization_id,
    )
