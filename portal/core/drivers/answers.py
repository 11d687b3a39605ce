"""What a driver answers: what was seen of a service, and how to connect to it."""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.core.conditions import Condition
from portal.core.drivers.units import UnitStep


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A way in: shown to customers and stored as a fact."""

    component: str
    host: str
    port: int
    usage: str = "primary"
    route: str = "public"
    tls: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "component": self.component,
            "usage": self.usage,
            "route": self.route,
            "host": self.host,
            "port": self.port,
            "tls": self.tls,
        }


@dataclass(frozen=True, slots=True)
class ChildObservation:
    """What became of one child. ``state``: pending, ready, running, succeeded, failed, cancelled or gone."""

    state: str
    message: str = ""
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchObservation:
    """What became of a batch kind: the revision that is in force, and why some children were refused, by their ids."""

    revision: int
    refused: Mapping[uuid.UUID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the driver makes of a backend's state.

    ``due_in``: when to look again although the backend tells of nothing; None leaves that to the backend, and a settled
    service to the sweep.
    """

    conditions: tuple[Condition, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    children: Mapping[uuid.UUID, ChildObservation] = field(default_factory=dict)
    steps: tuple[UnitStep, ...] = ()
    settled: bool = False  # nothing is left to do for this generation
    due_in: datetime.timedelta | None = None
    batches: Mapping[str, BatchObservation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code that connects, for the Connect tab; ``code`` may hold the placeholders of ``Connection``."""

    label: str
    language: str
    code: str


@dataclass(frozen=True, slots=True)
class Connection:
    """How to connect as one user. Texts hold ``{{username}}``, ``{{secret:NAME.KEY}}``; only reads.py fills them."""

    child_id: uuid.UUID
    username: str
    secret: str  # name of the GeneratedSecret that has the password
    uri: str
    component: str = "primary"
    environment: Mapping[str, str] = field(default_factory=dict)
    snippets: tuple[Snippet, ...] = ()
    main: bool = False
    # Secret and key that hold the certificate to verify by, where that is the service's own and not the region's.
    authority: tuple[str, str] | None = None
