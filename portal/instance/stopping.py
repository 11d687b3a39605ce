"""Signals that ask to stop, as an exception where the work is, so that what was started is ended on the way out."""

import signal
from collections.abc import Callable
from typing import NoReturn

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CODE = 130  # the shell's exit code for a command that was interrupted


class Stop(BaseException):
    """Somebody asked to stop."""


def stop_on_signals() -> None:
    """Have the next signal raise Stop."""
    _on_signals(_stop)


def call_on_signals(function: Callable[[], None]) -> None:
    """Have further signals call ``function``, while what was begun is being ended."""
    _on_signals(lambda *_: function())


def _stop(*_: object) -> NoReturn:
    raise Stop


def _on_signals(handler: Callable[..., object]) -> None:
    for number in ASKING:
        signal.signal(number, handler)
