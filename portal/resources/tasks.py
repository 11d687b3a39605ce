"""Celery's entry points to the engine: ids in, a turn done. A lost message costs time: the sweep finds what is due."""

import logging
import uuid

from django.utils import timezone
from kombu.exceptions import OperationalError

from portal.celery import app
from portal.resources import engine
from portal.resources.api import idempotency
from portal.resources.engine import claim, drift
from portal.resources.models import Resource

logger = logging.getLogger(__name__)
SWEEP_AT_ONCE = 500


@app.task(name="portal.resources.tasks.reconcile")
def reconcile(resource_id: str) -> None:
    """Take one turn for a service, and ask for the next where something has moved meanwhile."""
    if engine.reconcile(uuid.UUID(resource_id), only_due=True):
        enqueue(uuid.UUID(resource_id))


@app.task(name="portal.resources.tasks.wake")
def wake(handle: str) -> None:
    """Look at the service behind a handle now: its backend has seen a change."""
    resource_id = claim.wake(handle=handle)
    if resource_id is not None:
        reconcile(str(resource_id))


@app.task(name="portal.resources.tasks.sweep_due", expires=30)
def sweep_due() -> None:
    """Take up what is due, whoever forgot it, and what waited for a cluster that is back."""
    claim.wake_from_silence(timezone.now())
    due = Resource.objects.due(timezone.now()).values_list("id", flat=True)
    for resource_id in due[:SWEEP_AT_ONCE]:
        enqueue(resource_id)


@app.task(name="portal.resources.tasks.look_for_drift", expires=60)
def look_for_drift() -> None:
    """Look, without a write, at services that nobody has woken; wake those that are not as they were."""
    claim.wake_from_the_future(timezone.now())
    for handle in drift.drifted():
        wake(handle)


@app.task(name="portal.resources.tasks.forget_old_answers")
def forget_old_answers() -> None:
    """Delete idempotency keys that are older than a day, and quotes that ended a day ago."""
    from portal.resources.actions import quotes  # actions import this module to enqueue

    idempotency.forget_old()
    quotes.forget_old()


@app.task(name="portal.resources.tasks.maintain", expires=300)
def maintain() -> None:
    """Upgrade what is behind and whose maintenance window is open."""
    from portal.resources.actions import maintaining  # actions import this module to enqueue

    maintaining.maintain(timezone.now())


def enqueue(resource_id: uuid.UUID) -> None:
    """Ask for a turn. Without a broker nothing is lost: the row is due and the sweep will find it."""
    try:
        reconcile.apply_async((str(resource_id),), retry=False)
    except OperationalError:
        logger.warning("the broker does not answer; the sweep will take up what is due")
