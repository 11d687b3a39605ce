"""How long turns take, counted for ``/metrics``: buckets in the broker, since many worker processes take turns.

Best effort: without a broker nothing is counted, and a fresh broker begins at zero, as Prometheus expects of counters.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

KEY = "archipel:turns"
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


@contextmanager
def measured() -> Iterator[None]:
    """Count the time that the block takes."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _count(time.perf_counter() - began)


def _count(seconds: float) -> None:
    bucket = next((str(bound) for bound in BOUNDS if seconds <= bound), "+Inf")
    try:
        with _client().pipeline(transaction=False) as pipe:
            pipe.hincrby(KEY, bucket, 1)
            pipe.hincrbyfloat(KEY, "sum", seconds)
            pipe.execute()
    except RedisError:
        return


def counted() -> tuple[list[tuple[str, float]], float]:
    """Return the cumulative buckets and the sum of seconds; empty without a broker."""
    try:
        found = {key.decode(): float(value) for key, value in _client().hgetall(KEY).items()}  # type: ignore[union-attr]
    except RedisError:
        return [], 0.0
    total, buckets = 0.0, []
    for bound in (*map(str, BOUNDS), "+Inf"):
        total += found.get(bound, 0.0)
        buckets.append((bound, total))
    return buckets, found.get("sum", 0.0)


@cache
def _client() -> Redis:
    return Redis.from_url(settings.CACHE_URL, socket_timeout=0.5, socket_connect_timeout=0.5)
