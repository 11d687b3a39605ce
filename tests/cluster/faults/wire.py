"""What this process has asked of API servers."""

from urllib.parse import urlsplit


class Wire:
    """By an API server's port: how long each request was waited for, in seconds."""

    def __init__(self) -> None:
        self.waits: dict[int, list[float]] = {}

    def to(self, port: int) -> list[float]:
        return self.waits.setdefault(port, [])

    def note(self, url: str, seconds: float) -> None:
        self.to(urlsplit(url).port or 443).append(seconds)
