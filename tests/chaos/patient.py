"""The API for those who meet a portal in trouble: what got no answer is asked again, with the same key."""

import http.client
import threading
import time
import uuid
from typing import Any

from tests.journeys.instance import Api

PATIENCE = 180.0  # seconds; longer than that nothing may be away, and no operation may take
ENDED = ("succeeded", "failed", "cancelled", "timed_out")


class Refused(Exception):
    """An answer that says no, for a reason that will stay."""

    def __init__(self, status: int, answer: Any, asked: str) -> None:
        self.status, self.answer = status, answer
        self.code = answer.get("code", "") if isinstance(answer, dict) else ""
        super().__init__(f"{asked}: {status} {answer}")


class Patient(Api):
    """Knows that a request without an answer may have been carried out or not; counts what it met."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self.troubles: dict[str, int] = {}

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """Return the answer, however often it takes to get one. Raises Refused, or AssertionError after PATIENCE."""
        headers = {} if method == "GET" else {"Idempotency_Key": key or str(uuid.uuid4())}
        end, pause = time.monotonic() + PATIENCE, threading.Event()
        while True:
            trouble, seconds = "", 0.2
            try:
                status, answer, given = self.call(method, path, body, **headers)
                if status < 300:
                    return answer
                if status < 500 and status != 429:
                    raise Refused(status, answer, f"{method} {path} {body}")
                code = answer.get("code") if isinstance(answer, dict) else answer
                trouble, seconds = f"{status} {code}", float(given.get("Retry-After", 0.2))
            except (OSError, http.client.HTTPException) as error:
                trouble = type(error).__name__
            self.troubles[trouble] = self.troubles.get(trouble, 0) + 1
            assert time.monotonic() < end, f"{method} {path} gets no answer: {trouble}"
            pause.wait(min(seconds, 2.0))

    def ended(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Follow an operation to its end, whatever that is. Raises AssertionError where it has none."""
        end = time.monotonic() + PATIENCE
        while operation["state"] not in ENDED:
            assert time.monotonic() < end, f"not ended within {PATIENCE} s: {operation}"
            operation = self.ask("GET", f"/api/v1/operations/{operation['id']}?wait=10")
        return operation
