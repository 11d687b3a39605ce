"""How fast a token may ask: a bucket of BURST requests that refills with RATE a second (GCRA), kept in the cache.

Said in every answer as ``RateLimit-Policy`` and ``RateLimit`` (IETF draft-ietf-httpapi-ratelimit-headers-11). Where the
cache is down nobody is limited. Two requests at the same instant may count as one: a limit on load, not a lock.
"""

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports this module, which settings name

RATE, BURST = 100, 2000  # requests a second, requests at once


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the bucket says: whether to go on, requests left, seconds until one more passes or the bucket is full."""

    allowed: bool
    remaining: int
    wait: float
    full_in: float


class TokenThrottle(BaseThrottle):
    """One bucket per token; per person for the console's session, per address for nobody in particular."""

    verdict: Verdict | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Tell whether the request may go on, and write the headers that say so."""
        rate, burst = limits()
        self.verdict = take(_key(request), rate, burst, time.time())
        reset = math.ceil(self.verdict.full_in if self.verdict.allowed else self.verdict.wait)
        view.headers["RateLimit-Policy"] = f'"default";q={burst};w={math.ceil(burst / rate)}'
        view.headers["RateLimit"] = f'"default";r={self.verdict.remaining};t={reset}'
        return self.verdict.allowed

    def wait(self) -> float | None:
        """Return the seconds until one more request may pass."""
        return self.verdict.wait if self.verdict else None


def limits() -> tuple[int, int]:
    """Return requests a second and burst."""
    return getattr(settings, "API_RATE", RATE), getattr(settings, "API_BURST", BURST)


def take(key: str, rate: int, burst: int, now: float) -> Verdict:
    """Take one request out of the bucket ``key``. What is stored is when the bucket will be full again."""
    full_at = float(cache.get(key) or 0)
    if not now < full_at <= now + burst / rate + 1e-6:  # in the past; or from before the clock was set back
        full_at = now
    after = full_at + 1 / rate
    wait = after - now - burst / rate
    if wait > 1e-6:
        return Verdict(False, 0, wait, full_at - now)
    cache.set(key, after, timeout=math.ceil(burst / rate) + 1)
    return Verdict(True, int(burst - (after - now) * rate + 1e-6), 0.0, after - now)


def _key(request: Request) -> str:
    """Name the bucket: of a token, a person, or an address (hashed, so that none is kept)."""
    if (token := getattr(request.auth, "pk", None)) is not None:
        return f"rate:token:{token}"
    if (user := getattr(request.user, "pk", None)) is not None:
        return f"rate:user:{user}"
    address = str(request.META.get("REMOTE_ADDR", ""))
    return f"rate:address:{hashlib.sha256(address.encode()).hexdigest()[:32]}"
