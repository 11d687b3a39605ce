"""Keeps secrets out of logs: keys that stand in an address, and what an unexpected error says.

Sign-in links, download links and invitations are keys to whoever reads them; an error of a backend or a library may
quote a password.
"""

import logging
import re
import traceback
from collections.abc import Iterator
from types import TracebackType

from portal.core.errors import PermanentError, Problem, TemporaryError

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_KEYS = re.compile(r"/(sign-in|download|invitations)/[^/\s?\"'#]+")
_KEYS_ON_THE_WAY = re.compile(r"%2F(invitations)%2F[^/\s?&\"'#]+", re.IGNORECASE)  # of who signs in first
_TOKENS = re.compile(r"\b(arc_[0-9A-Za-z]{4})[0-9A-Za-z]{8,}")  # in a query, say, where a client put it by mistake


def without_keys(text: str) -> str:
    """Return text in which every address that lets somebody in has lost its key, and every token all but its hint."""
    return _TOKENS.sub(r"\1***", _KEYS_ON_THE_WAY.sub(r"%2F\1%2F***", _KEYS.sub(r"/\1/***", text)))


class WithoutKeys(logging.Filter):
    """Takes keys out of a record's words; set on the loggers to which Django tells the address of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = without_keys(str(record.msg))
        if isinstance(record.args, tuple):
            record.args = tuple(without_keys(item) if isinstance(item, str) else item for item in record.args)
        return True


class Line(logging.Formatter):
    """Writes of an error its kind and where it happened; what it says only where that is a safe sentence of ours."""

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802 - logging's own name
        """Return the trace of an error and of those behind it, the first cause first."""
        return "\n\n".join(reversed([_told(error) for error in _chain(ei[1])]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, or while handling what."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(error: BaseException) -> str:
    kind, frames = type(error), "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{kind.__module__}.{kind.__qualname__}{_words(error)}"


def _words(error: BaseException) -> str:
    if isinstance(error, TemporaryError | PermanentError | Problem):
        return f": {error}"
    return f": {error.strerror}" if isinstance(error, OSError) and error.errno and error.strerror else ""
