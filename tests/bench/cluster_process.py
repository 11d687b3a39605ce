"""A worker without a broker, or the watch, as a process of its own: ``python -m tests.bench.cluster_process worker``.

Both work until SIGTERM, in the database that ``DATABASE_URL`` names, and say at the end how much memory they had.
"""

import random
import signal
import sys
import threading
import types
from pathlib import Path

import django

EVERY = 0.02  # seconds between two looks at what is due
NEXT = 20  # of which each worker takes any, so that they seldom meet: a broker gives no two the same
over = threading.Event()


def main(what: str) -> None:
    django.setup()
    import portal.celery  # noqa: F401 - what a worker has loaded as well

    signal.signal(signal.SIGTERM, _end)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    _watch() if what == "watch" else _work()
    sys.stdout.write(f"{_most_memory()}\n")


def _most_memory() -> int:
    """Return the most that this process has had in memory, in MiB: its own, not that of who started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def _end(_signal: int, _frame: types.FrameType | None) -> None:
    over.set()


def _watch() -> None:
    from portal.clusters.backends.kubernetes.watching import Watching
    from portal.resources.engine import claim

    Watching(lambda handle: claim.wake(handle=handle)).run(over)


def _work() -> None:
    from django.utils import timezone

    from portal.resources import engine
    from portal.resources.models import Resource

    while not over.is_set():
        due = Resource.objects.due(timezone.now()).values_list("id", flat=True)[:NEXT]
        if not due:
            over.wait(EVERY)
            continue
        engine.reconcile(random.choice(due), only_due=True)


if __name__ == "__main__":
    main(sys.argv[1])
