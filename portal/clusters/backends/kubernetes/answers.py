"""What an API server's refusals and silences mean: each an error of its own, in words that hold no secret."""

import json
from dataclasses import dataclass
from typing import Any

from portal.core.errors import PermanentError, TemporaryError, UnreachableError

NOT_SERVED = "NotServed"  # the reason of a 404 that is about the kind itself
_NO_ANSWER = "This region does not answer at the moment; we try again."
_UNTYPED = "failed to create typed patch object"  # an apply with an unknown field or a wrong type: told with 500
_BUSY = "This region is busy at the moment; we try again."


class Silent(UnreachableError):
    """The cluster gives no answer that means anything; ``trouble`` says to operators what happened."""

    def __init__(self, trouble: str, words: str = _NO_ANSWER) -> None:
        super().__init__(words)
        self.trouble = trouble


class Busy(Silent):
    """The API server answered that it can't do this now (429, 5xx): it lives, and may be asked other things.

    ``retry_after``: seconds, as it said itself; 0 where it did not.
    """

    reason = TemporaryError.reason

    def __init__(self, trouble: str, retry_after: float = 0) -> None:
        super().__init__(trouble, _BUSY)
        self.retry_after = retry_after


class Stale(TemporaryError):
    """The object was changed by somebody else in the meantime: look at it again, then try again."""


class Expired(TemporaryError):
    """The resource version that a watch was to go on from is too old (410): list again."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a refusal: ``type`` such as ``FieldManagerConflict``, ``field`` such as ``.spec.replicas``."""

    type: str
    message: str
    field: str


class Refused(PermanentError):
    """The API server says no (400, 403, 404 of a kind or namespace, 422).

    Its words are for operators: they name what customers have not chosen, and are put into theirs by ``refusals``.
    """

    def __init__(self, status: int, reason: str, message: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.causes = status, reason, message, causes


class Conflict(Refused):
    """Fields that another manager holds (apply), or an object of that name that is there already (create)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An API server's answer that is not a success: a ``Status`` where it wrote one."""

    code: int
    body: bytes
    retry_after: str = ""

    def error(self) -> Exception:
        """Return what the answer means."""
        status = self.status()
        reason, message = str(status.get("reason") or ""), str(status.get("message") or f"HTTP {self.code}")
        if self.code == 401:
            return Silent("It does not accept the portal's credentials (401).")
        if message.startswith(_UNTYPED):
            return Refused(422, "Invalid", message)
        if self.code == 429 or (self.code >= 500 and status):
            return Busy(f"{self.code}: {message}"[:500], _seconds(self.retry_after))
        if self.code >= 500 or not 400 <= self.code < 500:
            return Silent(f"HTTP {self.code} from something that is not an API server.")
        if self.code == 410:
            return Expired(message)
        return self._refusal(reason, message, _causes(status))

    def _refusal(self, reason: str, message: str, causes: tuple[Cause, ...]) -> Exception:
        if self.code == 409:
            if reason == "AlreadyExists" or any(cause.type == "FieldManagerConflict" for cause in causes):
                return Conflict(self.code, reason, message, causes)
            return Stale(message)
        if self.code == 404 and not self.is_absent():
            reason = NOT_SERVED
        return Refused(self.code, reason, message, causes)

    def is_absent(self) -> bool:
        """Whether this is the 404 of an object, not of its kind: only that one names what it looked for."""
        return self.code == 404 and bool((self.status().get("details") or {}).get("name"))

    def status(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _causes(status: dict[str, Any]) -> tuple[Cause, ...]:
    found = (status.get("details") or {}).get("causes") or []
    return tuple(Cause(one.get("reason", ""), one.get("message", ""), one.get("field", "")) for one in found)


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
