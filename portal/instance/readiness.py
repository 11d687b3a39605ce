"""Whether everything answers: what ``/readyz`` says and ``up`` waits for."""

import time
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from redis import Redis

from portal.clusters.backends.local.supervisor import control
from portal.instance.tasks import BEAT, WORKER

FRESH = 20.0  # seconds; a heartbeat is due every 5
Check = Callable[[], str]


def report() -> dict[str, str]:
    """Return each part's state: empty where it answers, else what is wrong, without any secret or address."""
    return {name: _try(check) for name, check in _checks().items()}


def _checks() -> dict[str, Check]:
    checks: dict[str, Check] = {"database": _database, "broker": _broker, "worker": _worker, "beat": _beat}
    return {**checks, "supervisor": _supervisor} if settings.ARCHIPEL_EMBEDDED else checks


def _try(check: Check) -> str:
    try:
        return check()
    except Exception as error:  # whatever it is, the part does not answer
        return type(error).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _broker() -> str:
    with Redis.from_url(settings.CACHE_URL, socket_timeout=1, socket_connect_timeout=1) as broker:
        broker.ping()
    return ""


def _worker() -> str:
    return _heard_of(WORKER)


def _beat() -> str:
    return _heard_of(BEAT)


def _heard_of(key: str) -> str:
    last = cache.get(key)
    if last is None:
        return "no heartbeat yet"
    age = time.time() - last
    # One from the future was sent before the clock was set back, and says nothing of now.
    return "" if abs(age) < FRESH else f"last heartbeat {age:.0f} s ago"


def _supervisor() -> str:
    return "" if control.ping(settings.ARCHIPEL_DATA) else "does not answer"
