"""The one error of this package."""


class Failed(Exception):
    """The instance can't come up; the message says why."""
