"""Ports for the programs that tests start."""

import os
import random
from collections.abc import Iterator

from portal.clusters.backends.local.ports import bindable

# Below those that the kernel gives to outgoing connections and beside those of services: nobody takes one before its
# program has begun, or while that is stopped.
FIRST, LAST, SHARES = 10_000, 20_000, 10


def _shuffled() -> Iterator[int]:
    """Yield the ports of this process's share once each: workers that run side by side never give the same."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
    mine = range(FIRST + share, LAST, SHARES)
    while True:
        yield from random.sample(mine, len(mine))


_next = _shuffled()


def free_port() -> int:
    """Return a port that nobody listens on at the moment, and that this process has not given before."""
    return next(port for port in _next if bindable(port))
