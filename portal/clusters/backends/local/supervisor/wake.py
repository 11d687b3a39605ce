"""Telling the rest of the portal that something was seen. Best effort: whoever is not reached looks by itself later."""

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)
Send = Callable[[str], None]


class Waker:
    """Sends from a thread of its own, so that a slow or dead broker never holds up the supervisor."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._work, name="wake", daemon=True).start()

    def __call__(self, handle: str) -> None:
        """Wake for one instance; one that is waiting already is not queued twice."""
        with self._lock:
            if handle in self._waiting:
                return
            self._waiting.add(handle)
        self._queue.put(handle)

    def _work(self) -> None:
        while True:
            handle = self._queue.get()
            with self._lock:
                self._waiting.discard(handle)
            try:
                self._send(handle)
            except Exception as error:  # the broker may be away for any reason, and this thread must live
                log.debug("could not wake for %s: %s", handle, error)


def celery_sender() -> Send:
    """Return what sends the task that ``settings.WAKE`` names."""
    from django.conf import settings

    from portal.celery import app

    def send(handle: str) -> None:
        app.send_task(settings.WAKE, [handle], retry=False, ignore_result=True)

    return send
