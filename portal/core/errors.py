"""Errors that mean something: the two that a backend may raise, and problems (RFC 9457) that a caller gets to read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


class TemporaryError(Exception):
    """Trying again later may help: the engine backs off. The message is one line that a customer can act on."""

    reason = "Retrying"  # of the condition Synced


class UnreachableError(TemporaryError):
    """The cluster gives no answer: once it does again, the engine tries again before its pause is over."""

    reason = "Unreachable"


class PermanentError(Exception):
    """Trying again can't help until the spec changes: the engine waits for a new generation."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: a JSON pointer (``/spec/disk_gib``), a code and a sentence with the remedy."""

    pointer: str
    code: str
    detail: str


def escape(part: str) -> str:
    """Escape one part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


@dataclass
class Problem(Exception):
    """A refusal with an answer: raised by actions and access functions, shown by console and API alike.

    ``code`` is the machine's word (PRODUCT 4.7), ``extra`` its additional members.
    """

    code: str
    status: HTTPStatus
    detail: str
    title: str = ""
    errors: tuple[FieldError, ...] = ()
    retryable: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    # What must stay although the act is undone, such as the record of a denied try; whoever answers calls it.
    afterwards: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


def of_backend(error: TemporaryError | PermanentError) -> Problem:
    """Return what a backend's error means to somebody who waits for an answer."""
    if isinstance(error, TemporaryError):
        return Problem("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, str(error), retryable=True)
    return Problem("not_possible", HTTPStatus.CONFLICT, str(error))


def not_found() -> Problem:
    """Return the one answer for all that is not there or not for this caller's eyes."""
    return Problem("not_found", HTTPStatus.NOT_FOUND, "There is nothing here, or nothing that you may see.")


def invalid(*errors: FieldError) -> Problem:
    """Return a 422 that names each wrong field."""
    detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} fields need another look."
    return Problem("invalid_arguments", HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def permission_denied(action: str, resource: str) -> Problem:
    """Return a 403 for a caller who may see ``resource`` but not do ``action`` with it."""
    return Problem(
        "permission_denied",
        HTTPStatus.FORBIDDEN,
        f"Your role does not allow {action} on {resource}. An organization admin can change that.",
        extra={"action": action, "resource": resource},
    )


def conflict(code: str, detail: str, **extra: Any) -> Problem:
    """Return a 409 with its code and members."""
    return Problem(code, HTTPStatus.CONFLICT, detail, extra=extra)
