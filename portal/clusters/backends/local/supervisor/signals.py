"""Signals by name, as units write them."""

import signal

from portal.clusters.backends.local.render import RenderError


def number(name: str) -> int:
    """Return a signal's number. Raises RenderError for a name that is none."""
    try:
        return signal.Signals[name].value
    except KeyError:
        raise RenderError(f"there is no signal {name!r}") from None
