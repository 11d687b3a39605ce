"""Asks a portal over HTTP whether it is ready."""

import http.client
import json
import time

from portal.bootstrap.running import HOST
from portal.bootstrap.say import say
from portal.instance.failed import Failed

EVERY = 0.15  # seconds between two questions
WORD_EVERY = 10.0  # seconds between two lines that say what is waited for


def ready(port: int) -> bool:
    """Tell whether ``/readyz`` answers 200."""
    return answer(port)[0] == http.HTTPStatus.OK


def answer(port: int) -> tuple[int, dict[str, str]]:
    """Return status and parts, or 0 and nothing while nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, json.loads(response.read()).get("parts", {})
    except (OSError, ValueError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


class Wait:
    """Waiting for a portal to be ready: says now and then what for, and gives up after ``seconds`` unless None."""

    def __init__(self, port: int, seconds: float | None) -> None:
        self.port = port
        self.end = time.monotonic() + seconds if seconds else float("inf")
        self.next_question = 0.0
        self.next_word = time.monotonic() + WORD_EVERY

    def over(self) -> bool:
        """Tell whether it is ready; asks at most every so often. Raises Failed when the time is up."""
        now = time.monotonic()
        if now < self.next_question:
            return False
        self.next_question = now + EVERY
        status, parts = answer(self.port)
        if status == http.HTTPStatus.OK:
            return True
        self._speak(now, _missing(status, parts))
        return False

    def _speak(self, now: float, missing: str) -> None:
        if now > self.end:
            raise Failed(f"gave up waiting for {missing}; the logs say more")
        if now > self.next_word:
            self.next_word = now + WORD_EVERY
            say(f"still waiting for {missing}")


def _missing(status: int, parts: dict[str, str]) -> str:
    if not status:
        return "web"
    states = [f"{name} ({state})" for name, state in parts.items() if state != "ok"]
    return ", ".join(states) or f"web, which answers {status}"
