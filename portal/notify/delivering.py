"""Delivers happenings to webhooks in rounds (Standard Webhooks 1.0.0): claimed, sent side by side, written one by one.

A round takes a few deliveries of each webhook that is due and sends them in threads, one thread a webhook, so a slow
receiver keeps only its own waiting; those known as slow have a lane of their own. Threads do HTTP and nothing else.
"""

import datetime
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from portal.core import outbound
from portal.core.vault import unseal
from portal.notify import kinds, settling
from portal.notify.bodies import body_of
from portal.notify.models import Delivery, Lane, Webhook
from portal.notify.settling import Outcome
from portal.notify.signing import signatures

LEASE = datetime.timedelta(seconds=60)
SECONDS = 15.0  # for one request in all
BUDGET = 10.0  # seconds after which a round begins no further request; with the last one it stays under the lease
WEBHOOKS = 16  # of a round, side by side
OF_ORGANIZATION = 4
OF_WEBHOOK = 10
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


@dataclass(slots=True)
class Job:
    """What one thread sends: deliveries of one webhook with what they say, and how each went."""

    webhook: Webhook
    secrets: list[str]
    bodies: list[tuple[Delivery, bytes]]
    outcomes: list[Outcome] = field(default_factory=list)


def take_round(lane: str) -> bool:
    """Take a round in a lane unless somebody is at it; return whether there is more to do at once."""
    if not _due(lane, timezone.now()).exists():
        return False  # with nothing to do nothing is written
    fence = _take_lane(lane, timezone.now())
    if fence is None:
        return False  # whoever has it looks again at its end
    try:
        jobs = _claimed(lane, timezone.now())
        if jobs:
            _send_all(jobs)
    finally:
        Lane.objects.filter(name=lane, fence=fence).update(lease_until=None)
    return bool(jobs) and _due(lane, timezone.now()).exists()


def _take_lane(name: str, now: datetime.datetime) -> int | None:
    Lane.objects.get_or_create(name=name)
    free = Q(lease_until=None) | Q(lease_until__lte=now) | Q(lease_until__gt=now + 2 * LEASE)
    fence = Lane.objects.filter(name=name).values_list("fence", flat=True).get()
    rows = Lane.objects.filter(free, name=name, fence=fence)
    return fence + 1 if rows.update(lease_until=now + LEASE, fence=F("fence") + 1) else None


def _due(lane: str, now: datetime.datetime) -> QuerySet[Delivery]:
    free = Q(lease_until=None) | Q(lease_until__lte=now) | Q(lease_until__gt=now + 2 * LEASE)
    heard = Q(webhook__enabled=True) | Q(happening__type=kinds.TEST)
    rows = Delivery.objects.filter(free, heard, state=Delivery.State.PENDING, next_at__lte=now)
    return rows.filter(webhook__is_slow=lane == "slow")


def _claimed(lane: str, now: datetime.datetime) -> list[Job]:
    """Claim some deliveries of each webhook that has waited longest; no organization takes the whole round."""
    waiting = _due(lane, now).order_by("webhook_id", "next_at").distinct("webhook_id").select_related("webhook")
    taken: Counter[object] = Counter()
    jobs: list[Job] = []
    for first in sorted(waiting.defer("webhook__event_types"), key=lambda delivery: delivery.next_at):
        hook = first.webhook
        taken[hook.organization_id] += 1
        if len(jobs) < WEBHOOKS and taken[hook.organization_id] <= OF_ORGANIZATION:
            rows = (
                _due(lane, now).filter(webhook=hook).select_related("happening").order_by("next_at", "id")[:OF_WEBHOOK]
            )
            mine = [row for row in rows if _claim(row, now)]
            jobs.append(Job(hook, _secrets(hook), [(row, body_of(row.happening)) for row in mine]))
    return [job for job in jobs if job.bodies]


def _claim(delivery: Delivery, now: datetime.datetime) -> bool:
    rows = Delivery.objects.filter(id=delivery.id, fence=delivery.fence, state=Delivery.State.PENDING)
    delivery.fence += 1
    return bool(rows.update(fence=delivery.fence, lease_until=now + LEASE))


def _secrets(webhook: Webhook) -> list[str]:
    """Return the secrets in force, the newest first."""
    return [unseal(webhook.secret), *([unseal(webhook.retired)] if webhook.old_secret_until else [])]


def _send_all(jobs: list[Job]) -> None:
    """Send side by side, and write each webhook's outcomes when it is through."""
    end = time.monotonic() + BUDGET
    with ThreadPoolExecutor(max_workers=len(jobs), thread_name_prefix="webhook") as pool:
        for job in pool.map(lambda job: _send(job, end), jobs):
            with transaction.atomic():
                settling.settle(job.webhook, job.outcomes, _untried(job))


def _send(job: Job, end: float) -> Job:
    """Send a webhook's deliveries in order; after a failure, or when the time is up, the rest waits."""
    for delivery, body in job.bodies:
        if time.monotonic() > end and job.outcomes:
            break
        outcome = _sent(job, delivery, body)
        job.outcomes.append(outcome)
        if not outcome.is_success:
            break
    return job


def _sent(job: Job, delivery: Delivery, body: bytes) -> Outcome:
    at, began = timezone.now(), time.monotonic()
    id_, timestamp = delivery.happening.public_id, int(at.timestamp())
    headers = {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(job.secrets, id_=id_, timestamp=timestamp, body=body),
    }
    status, error = None, ""
    try:
        caps = outbound.Caps(total=SECONDS, size=0)
        status = outbound.request("POST", job.webhook.url, headers=headers, body=body, caps=caps).status
    except (outbound.Refused, outbound.Unanswered) as trouble:
        error = str(trouble)
    return Outcome(delivery, at, status, error, int((time.monotonic() - began) * 1000))


def _untried(job: Job) -> Iterable[Delivery]:
    tried = {outcome.delivery.id for outcome in job.outcomes}
    return [delivery for delivery, _body in job.bodies if delivery.id not in tried]
