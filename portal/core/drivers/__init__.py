"""What drivers get and give: pure translators between a service and a backend's objects. No I/O here or in them.

The engine builds a ``View``, a driver renders it, a backend applies that and reads the state, the driver observes.
Text in a ``Unit`` may hold placeholders that the local backend fills at the last moment, so a driver never sees a port,
a path or a secret:

``{{dir}}`` the instance's directory · ``{{run}}`` its short directory for sockets · ``{{log}}`` its log directory ·
``{{artifacts}}`` where backups go · ``{{port:NAME}}`` · ``{{package:KEY}}`` a package's prefix ·
``{{secret:NAME.KEY}}`` (files, stdin and env only, never argv) · ``{{input:NAME}}`` a file of another service ·
``{{lb}}`` a left brace. What a customer wrote goes through ``literal`` first, or it could name a placeholder.
"""

from collections.abc import Iterable
from typing import Protocol

from portal.core.drivers.answers import (
    BatchObservation,
    ChildObservation,
    Connection,
    Endpoint,
    Observation,
    Snippet,
)
from portal.core.drivers.kubernetes import KubernetesDriver, ObjectKind, Rendered
from portal.core.drivers.units import (
    Command,
    Companion,
    CompanionState,
    Document,
    File,
    GeneratedSecret,
    Input,
    Limits,
    Phase,
    Probe,
    Run,
    RunResult,
    Sampler,
    Unit,
    UnitState,
    UnitStep,
    literal,
)
from portal.core.drivers.views import (
    ChildView,
    LinkView,
    Origin,
    View,
)

__all__ = [
    "BatchObservation",
    "Batching",
    "ChildObservation",
    "ChildView",
    "Command",
    "Companion",
    "CompanionState",
    "Connection",
    "Document",
    "Driver",
    "Endpoint",
    "File",
    "GeneratedSecret",
    "Input",
    "KubernetesDriver",
    "Limits",
    "LinkView",
    "LocalDriver",
    "ObjectKind",
    "Observation",
    "Origin",
    "Phase",
    "Probe",
    "Rendered",
    "Run",
    "RunResult",
    "Sampler",
    "Snippet",
    "Unit",
    "UnitState",
    "UnitStep",
    "View",
    "literal",
]


class LocalDriver(Protocol):
    """Translates a view to a supervised process, and what is seen of it to conditions."""

    def render(self, view: View) -> Unit: ...

    def observe(self, view: View, state: UnitState) -> Observation: ...

    def connect(self, view: View) -> tuple[Connection, ...]: ...


class Batching(Protocol):
    """What a driver has besides, where its offering has a batch kind."""

    def document(self, view: View, kind: str, children: Iterable[ChildView]) -> Iterable[str]:
        """Write the document of all children that are wanted, oldest first, piece by piece."""
        ...


Driver = LocalDriver | KubernetesDriver
