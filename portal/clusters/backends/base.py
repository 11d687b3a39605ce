"""What every backend can do, whatever kind of cluster it drives. The engine and ``reads`` are the only callers."""

import datetime
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from portal.core.drivers import GeneratedSecret

EVENT = "event"  # the source of a line that is no engine's: what the cluster itself warns of


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that an engine wrote; ``text`` is stripped of ANSI and capped, not yet escaped."""

    at: datetime.datetime | None
    source: str  # "engine" or the key of a run (local), "POD/CONTAINER" or ``EVENT`` (kubernetes)
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over time: (unix seconds, value) pairs, oldest first."""

    name: str
    unit: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the engine asks of a backend for one service. ``fence`` rises with every claim: an older one is refused."""

    handle: str
    fence: int
    generation: int
    rendered: Any  # a Unit (local), a list of manifests (kubernetes)


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Where in a cluster a service lives. ``own``: the namespace is this service's alone, and goes with it."""

    namespace: str
    organization_id: uuid.UUID
    project_id: uuid.UUID
    own: bool = False


class Backend(Protocol):
    """Drives one cluster. Methods return at once: they record a wish or read what was last seen.

    All raise ``TemporaryError`` where the cluster does not answer and ``PermanentError`` where it refuses.
    """

    def prepare(self, handle: str, tenancy: Tenancy) -> None:
        """Have the place where a service lives; called before anything else is asked for it."""
        ...

    def ensure_secrets(self, handle: str, secrets: Iterable[GeneratedSecret]) -> None:
        """Make what is missing or has a risen rotation; leave the rest untouched."""
        ...

    def apply(self, wanted: Wanted) -> None:
        """Record the wish. Applying the same one twice changes nothing; one with an older fence is ignored."""
        ...

    def documents(self, handle: str) -> Mapping[str, int]:
        """Return which revision of each batch kind's document was put here last."""
        ...

    def put_document(self, handle: str, kind: str, revision: int, pieces: Iterable[str]) -> None:
        """Keep a document whole or not at all; an older revision than the one that is here is ignored."""
        ...

    def read(self, handle: str) -> Any:
        """Return the state as last seen (``UnitState``; the list of objects)."""
        ...

    def patience(self) -> datetime.timedelta:
        """Return how long a service that is on its way waits for news of what was just read, in case none comes."""
        ...

    def delete(self, handle: str, *, fence: int) -> None:
        """Ask for everything of this service to be taken away, data and artifacts included."""
        ...

    def leftovers(self, handle: str) -> list[str]:
        """Name what is still there of a deleted service (process, directory, port, secret); empty when it is gone."""
        ...

    def reveal(self, handle: str, names: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the values of generated secrets by name and key. Only ``clusters/reads.py`` calls this."""
        ...

    def logs(
        self, handle: str, *, since: datetime.datetime | None, until: datetime.datetime | None, limit: int
    ) -> list[LogLine]:
        """Return the newest lines, oldest first."""
        ...

    def metrics(self, handle: str, *, since: datetime.datetime, until: datetime.datetime) -> list[Series]:
        """Return what is known of the service's load."""
        ...

    def artifact(self, handle: str, name: str) -> Any:
        """Return a readable binary file of one of the service's artifacts (a backup), for a download."""
        ...

    def discover(self) -> dict[str, Any]:
        """Return what the cluster can run now, for ``Cluster.capabilities``; JSON."""
        ...

    def ca_pem(self) -> str:
        """Return the certificate of the authority that signs this cluster's endpoints."""
        ...
