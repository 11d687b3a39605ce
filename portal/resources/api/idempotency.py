"""Keeps the answers to ``Idempotency-Key`` requests, each in the transaction of the action that it answers."""

import datetime
import hashlib
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.errors import LockNotAvailable
from rest_framework.response import Response

from portal.core.errors import Problem, conflict
from portal.resources.models import IdempotencyKey

KEPT_FOR = datetime.timedelta(hours=24)
WAIT_MILLISECONDS = 3000
HEADERS = ("Location", "Retry-After", "ETag")
REPLAYED = "Idempotency-Replayed"


def keep(account: uuid.UUID, key: str, fingerprint: str, act: Callable[[], Response]) -> Response:
    """Return the kept answer, or act and keep the answer, in one transaction under a lock on the key.

    Raises Problem ``idempotency_key_reused`` (422) or, where the first request takes too long,
    ``idempotency_key_in_flight`` (409). What the action raises undoes it and leaves no key.
    """
    try:
        with transaction.atomic():
            _lock(account, key)
            kept = IdempotencyKey.objects.filter(account=account, key=key).first()
            if kept is not None:
                return _replay(kept, fingerprint)
            return _act(account, key, fingerprint, act)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise _in_flight() from error
        raise


def forget_old() -> int:
    """Delete answers that have been kept for a day; return how many. Called by a task."""
    deleted, _by_model = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    return deleted


def _act(account: uuid.UUID, key: str, fingerprint: str, act: Callable[[], Response]) -> Response:
    response = act()
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        transaction.set_rollback(True)
        return response
    IdempotencyKey.objects.create(
        account=account,
        key=key,
        fingerprint=fingerprint,
        status=response.status_code,
        body=response.data,
        headers={name: response[name] for name in HEADERS if name in response},
    )
    return response


def _replay(kept: IdempotencyKey, fingerprint: str) -> Response:
    if kept.fingerprint != fingerprint:
        detail = _("This Idempotency-Key was used for another request. Take a new key for a new request.")
        raise Problem("idempotency_key_reused", HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    headers: dict[str, Any] = {**kept.headers, REPLAYED: "true"}
    return Response(kept.body, status=kept.status, headers=headers)


def _lock(account: uuid.UUID, key: str) -> None:
    """Hold the key until the transaction ends; a crash frees it. Its own time limit does not outlive it."""
    digest = hashlib.sha256(f"{account}:{key}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [str(WAIT_MILLISECONDS)])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def _in_flight() -> Problem:
    problem = conflict("idempotency_key_in_flight", _("The first request with this Idempotency-Key is still running."))
    problem.retryable = True
    return problem
