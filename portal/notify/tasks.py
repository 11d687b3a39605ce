"""Celery's entry points: mail that is due, webhooks that are due, and what has been kept long enough.

No task takes arguments: what is to be done stands in rows. A lost message costs time, the beat finds what is due.
"""

import logging
from typing import Any

from kombu.exceptions import OperationalError

from portal.celery import app

logger = logging.getLogger(__name__)


@app.task(name="portal.notify.tasks.send_mail", expires=60)
def send_mail() -> None:
    """Send the mails that are due."""
    from portal.notify import sending  # imports the backend, which imports this module to enqueue

    if sending.send_due():
        enqueue_mail()


@app.task(name="portal.notify.tasks.deliver", expires=30)
def deliver() -> None:
    """Take a round for webhooks that answer well."""
    _round("quick", deliver)


@app.task(name="portal.notify.tasks.deliver_slow", expires=30)
def deliver_slow() -> None:
    """Take a round for webhooks that are slow or fail; they wait for each other, and nobody for them."""
    _round("slow", deliver_slow)


@app.task(name="portal.notify.tasks.forget_old", expires=3600)
def forget_old() -> None:
    """Delete what has been kept long enough."""
    from portal.notify.actions import forgetting  # actions import this module to enqueue

    forgetting.forget_old()


def enqueue_mail() -> None:
    _enqueue(send_mail)


def enqueue_delivery() -> None:
    _enqueue(deliver)
    _enqueue(deliver_slow)


def _round(lane: str, again: Any) -> None:
    from portal.notify import delivering  # imports actions, which import this module to enqueue

    if delivering.take_round(lane):
        _enqueue(again)


def _enqueue(task: Any) -> None:
    """Ask for a task. Without a broker nothing is lost: the rows are due and the beat will find them."""
    try:
        task.apply_async(retry=False)
    except OperationalError:
        logger.warning("the broker does not answer; the beat will take up what is due")
