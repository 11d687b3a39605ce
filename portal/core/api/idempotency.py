"""``Idempotency-Key``: a POST that was answered once gets the same answer again, for a day.

``once`` is what views call, after access has been checked. Who keeps the answers is named by ``settings.IDEMPOTENCY``
(a ``Keeper``), since this layer has no tables; the answer is kept with the action in one transaction.
"""

import functools
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.errors import Problem

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,128}")
DEFAULT_KEEPER = "portal.resources.api.idempotency.keep"


class Keeper(Protocol):
    """Runs an action at most once for an account and key."""

    def __call__(self, account: uuid.UUID, key: str, fingerprint: str, act: Callable[[], Response]) -> Response:
        """Return the kept answer, or the action's, kept. Raises Problem: key reused (422) or in flight (409)."""
        ...


def once(request: Request, account: uuid.UUID | None, act: Callable[[], Response]) -> Response:
    """Return ``act()``, or what it answered before to the same key and body. Without a key it simply acts.

    An answer that refuses (4xx) or fails (5xx) has done nothing and is not kept: the key may be tried again.
    """
    key = request.headers.get(HEADER)
    if key is None or account is None:
        return act()
    if not KEY.fullmatch(key):
        detail = _("An Idempotency-Key has 1 to 128 visible ASCII characters, such as a UUID.")
        raise Problem("invalid_idempotency_key", HTTPStatus.BAD_REQUEST, detail)
    return _keeper()(account, key, fingerprint(request), act)


def fingerprint(request: Request) -> str:
    """Return what two requests must have in common to be the same: method, address and body, however it is written."""
    content: list[Any] = [request.method, request.get_full_path(), request.data]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@functools.cache
def _keeper() -> Keeper:
    keeper: Keeper = import_string(getattr(settings, "IDEMPOTENCY", DEFAULT_KEEPER))
    return keeper
