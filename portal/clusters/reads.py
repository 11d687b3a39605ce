"""The three reads that may reach a cluster within a request: a credential, the tail of a log, a range of metrics.

Each has two seconds, a limit per cluster and a circuit breaker: a dead cluster costs one page two seconds, once.
"""

import datetime
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

from portal.clusters.backends.base import LogLine, Series
from portal.clusters.models import Cluster
from portal.clusters.registry import backend_of
from portal.core.drivers import Connection, Snippet
from portal.core.errors import TemporaryError

Answer = TypeVar("Answer")
AT_ONCE = 8  # reads of one cluster that one process makes at the same time
FAILURES_TO_OPEN = 3
OPEN_SECONDS = 10.0
_PLACEHOLDER = re.compile(r"\{\{secret:([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\}\}")


@dataclass
class Breaker:
    """Counts a cluster's failures; after three in a row it refuses at once for ten seconds."""

    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))
    failures: int = 0
    open_until: float = 0.0

    @contextmanager
    def guard(self) -> Iterator[None]:
        if time.monotonic() < self.open_until:
            raise TemporaryError("This region does not answer at the moment. Try again in a few seconds.")
        if not self.slots.acquire(timeout=2):
            raise TemporaryError("This region is busy at the moment. Try again in a few seconds.")
        try:
            yield
            self.failures = 0
        except TemporaryError:
            self.failures += 1
            if self.failures >= FAILURES_TO_OPEN:
                self.open_until = time.monotonic() + OPEN_SECONDS
            raise
        finally:
            self.slots.release()


_breakers: dict[object, Breaker] = {}


def _guarded(cluster: Cluster, read: Callable[[], Answer]) -> Answer:
    with _breakers.setdefault(cluster.id, Breaker()).guard():
        return read()


def reveal(cluster: Cluster, handle: str, connection: Connection) -> Mapping[str, Any]:
    """Return a login's user name, password, URI, environment, snippets and CA, with every placeholder filled.

    Raises TemporaryError where the cluster does not answer, or the engine has not made the login's secret yet.
    """
    backend = backend_of(cluster)
    wanted = [connection.secret, *(connection.authority or ())[:1]]
    secrets = _guarded(cluster, lambda: backend.reveal(handle, wanted))
    if not all(name in secrets for name in wanted):
        raise TemporaryError("This login is not ready yet. Try again in a few seconds.")
    fill = _filler(connection, secrets)
    return {
        "username": connection.username,
        "password": fill(f"{{{{secret:{connection.secret}.password}}}}"),
        "uri": _uri_filler(connection, secrets)(connection.uri),
        "ca_pem": secrets[connection.authority[0]][connection.authority[1]]
        if connection.authority
        else backend.ca_pem(),
        "environment": {name: fill(value) for name, value in connection.environment.items()},
        "snippets": [_filled(snippet, fill) for snippet in connection.snippets],
    }


def _filled(snippet: Snippet, fill: Callable[[str], str]) -> dict[str, str]:
    return {"label": snippet.label, "language": snippet.language, "code": fill(snippet.code)}


def _filler(connection: Connection, secrets: Mapping[str, Mapping[str, str]]) -> Callable[[str], str]:
    def fill(text: str) -> str:
        text = text.replace("{{username}}", connection.username)
        return _PLACEHOLDER.sub(lambda match: secrets[match[1]][match[2]], text)

    return fill


def _uri_filler(connection: Connection, secrets: Mapping[str, Mapping[str, str]]) -> Callable[[str], str]:
    """Fill a URI, where user name and password are percent-encoded."""

    def fill(text: str) -> str:
        text = text.replace("{{username}}", quote(connection.username, safe=""))
        return _PLACEHOLDER.sub(lambda match: quote(secrets[match[1]][match[2]], safe=""), text)

    return fill


def logs(
    cluster: Cluster,
    handle: str,
    *,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    limit: int = 200,
) -> list[LogLine]:
    """Return the newest lines of a service's log, and with them what its cluster warns of; oldest first."""
    return _guarded(cluster, lambda: backend_of(cluster).logs(handle, since=since, until=until, limit=limit))


def metrics(cluster: Cluster, handle: str, *, since: datetime.datetime, until: datetime.datetime) -> list[Series]:
    """Return a service's series over a range."""
    return _guarded(cluster, lambda: backend_of(cluster).metrics(handle, since=since, until=until))


def download(cluster: Cluster, handle: str, name: str) -> BinaryIO:
    """Return an artifact for streaming; the one read that takes as long as it takes."""
    stream: BinaryIO = _guarded(cluster, lambda: backend_of(cluster).artifact(handle, name))
    return stream


def ca_pem(cluster: Cluster) -> str:
    """Return the certificate that verifies the cluster's endpoints."""
    return _guarded(cluster, lambda: backend_of(cluster).ca_pem())


def authority(cluster: Cluster, handle: str, connection: Connection | None) -> str:
    """Return the certificate that verifies what a connection leads to: the service's own, else the cluster's.

    Raises TemporaryError where the service has not got it yet.
    """
    if connection is None or connection.authority is None:
        return ca_pem(cluster)
    name, key = connection.authority
    secrets = _guarded(cluster, lambda: backend_of(cluster).reveal(handle, [name]))
    if key not in secrets.get(name, {}):
        raise TemporaryError("The certificate is not ready yet. Try again in a few seconds.")
    return str(secrets[name][key])


class LiveMetrics:
    """Answers ``settings.METRICS`` from the cluster itself, until there is a store of them."""

    def query(
        self, cluster: Cluster, handle: str, *, since: datetime.datetime, until: datetime.datetime
    ) -> list[Series]:
        return metrics(cluster, handle, since=since, until=until)
