"""What drivers get and give: pure translators between a service and a backend's objects. No I/O here or in them.

The engine builds a ``View``, a driver renders it, a backend applies that and reads the state, the driver observes.
Text in a ``Unit`` may hold placeholders that the local backend fills at the last moment, so a driver never sees a port,
a path or a secret:

``{{dir}}`` the instance's directory · ``{{run}}`` its short directory for sockets · ``{{log}}`` its log directory ·
``{{artifacts}}`` where backups go · ``{{port:NAME}}`` · ``{{package:KEY}}`` a package's prefix ·
``{{secret:NAME.KEY}}`` (files, stdin and env only, never argv) · ``{{input:NAME}}`` a file of another service ·
``{{lb}}`` a left brace. What a customer wrote goes through ``literal`` first, or it could name a placeholder.
"""

import datetime
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from portal.core.conditions import Condition

if TYPE_CHECKING:
    from portal.core.offerings import Plan
    from portal.core.specs import Spec


def literal(text: str) -> str:
    """Return text of a customer's so that a unit can hold it: no placeholder in it comes to life."""
    return text.replace("{", "{{lb}}")


# ---- what the driver is given ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChildView:
    """A part of the service as asked for. ``deleting`` means: render what takes it away."""

    id: uuid.UUID
    kind: str
    name: str
    spec: Any
    generation: int
    observed_generation: int
    deleting: bool = False
    cancelled: bool = False
    state: str = "pending"  # as last seen; a run child in succeeded, failed or cancelled is finished
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether a run child has come to its end."""
        return self.state in ("succeeded", "failed", "cancelled")

    @property
    def key(self) -> str:
        """A key for this child at this generation, for ``Run.key``."""
        return f"{self.kind}:{self.id}:{self.generation}{':delete' if self.deleting else ''}"


@dataclass(frozen=True, slots=True)
class LinkView:
    """Another service that this one uses: its handle, offering, facts (endpoints) and role."""

    handle: str
    offering: str
    name: str
    facts: Mapping[str, Any]
    ready: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a restored or forked service takes its first data from: a run child of ``handle`` and its facts."""

    handle: str
    kind: str
    child_id: uuid.UUID
    facts: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""  # raised by each in-place restore; empty for a service that was born from a backup
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A service as asked for, all that a driver may look at."""

    handle: str
    offering: str
    name: str
    version: str  # the line that was ordered, "17"
    release: str  # the exact build to run, "17.10"
    plan: "Plan"
    spec: "Spec"
    generation: int
    running: bool
    restarts: int
    host: str  # where endpoints are reached, no port
    allow_list: tuple[str, ...] = ()  # networks that may reach it, canonical CIDR; empty: from anywhere
    children: tuple[ChildView, ...] = ()
    links: Mapping[str, LinkView] = field(default_factory=dict)
    origin: Origin | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)  # kind -> revision of its document that is asked for

    def of_kind(self, kind: str) -> tuple[ChildView, ...]:
        """Return the children of one kind, oldest first."""
        return tuple(child for child in self.children if child.kind == kind)


# ---- what any driver may render --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GeneratedSecret:
    """A secret that the engine makes once, and anew only when ``rotation`` rises. Values are [A-Za-z0-9]."""

    name: str
    keys: tuple[str, ...] = ("password",)
    rotation: int = 0
    length: int = 32

    def ref(self, key: str = "password") -> str:
        """Return the placeholder that the backend fills with the value."""
        return f"{{{{secret:{self.name}.{key}}}}}"


@dataclass(frozen=True, slots=True)
class Run:
    """One command inside the service's sandbox, whose result is kept under ``key``.

    Runs of one ``lane`` go one after the other, in the order rendered. A key that has a successful result is not run
    again; a failed one is tried again with back-off, except a ``once`` run, which never starts twice (cut off in the
    middle it counts as failed). ``while_stopped`` runs need no running engine.
    """

    key: str
    argv: tuple[str, ...]
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int = 60
    once: bool = False
    lane: str = "main"
    while_stopped: bool = False
    artifact: str = ""  # file name under {{artifacts}} that this run makes; its size and sha256 become facts
    cancelled: bool = False
    covers: tuple[str, ...] = ()  # keys of other runs that its success counts for: they need not run


# ---- the local backend's vocabulary ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """A file of the instance, path relative to its directory. ``on_change`` is ``restart``, ``reload`` or ``none``."""

    path: str
    content: str
    mode: int = 0o600
    on_change: str = "restart"


@dataclass(frozen=True, slots=True)
class Document:
    """The file that holds all children of a batch kind, as ``Batching.document`` writes it, at ``path``."""

    kind: str
    path: str
    revision: int
    on_change: str = "reload"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of preparation: all run once, in order, before the first start; a crash repeats them all.

    Those of the groundwork are the same for every service of a release: they know ``{{dir}}`` and packages alone, no
    secret, no port, nothing of a customer's, and what they make may be moved. So a backend may run them beforehand.
    """

    name: str
    argv: tuple[str, ...]
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int = 120


@dataclass(frozen=True, slots=True)
class Probe:
    """Readiness: a command that makes an authenticated round trip and exits 0."""

    argv: tuple[str, ...]
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 5.0
    every_seconds: float = 15.0  # once ready; while starting it is tried in quick succession
    after: str = ""  # a path that appears before the engine can answer; while starting nothing is tried before


@dataclass(frozen=True, slots=True)
class Limits:
    """What an instance may take. ``cpu`` in cores; 0 means no limit of that sort."""

    memory_mib: int = 0
    cpu: float = 0.0
    processes: int = 0
    open_files: int = 4096
    disk_gib: int = 0


@dataclass(frozen=True, slots=True)
class Input:
    """A file of another service's artifacts, made readable to this one as ``{{input:NAME}}``."""

    name: str
    handle: str
    path: str


@dataclass(frozen=True, slots=True)
class Sampler:
    """A command that prints one JSON object of numbers, sampled for the service's metrics."""

    argv: tuple[str, ...]
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    every_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Unit:
    """One supervised process on this machine, as asked for."""

    packages: tuple[str, ...]
    argv: tuple[str, ...]
    probe: Probe
    ports: tuple[str, ...]
    files: tuple[File, ...] = ()
    groundwork: tuple[Command, ...] = ()  # the preparation's first part, see ``Command``
    prepare: tuple[Command, ...] = ()
    before_start: tuple[Command, ...] = ()  # quick and repeatable; run before each start
    runs: tuple[Run, ...] = ()
    secrets: tuple[GeneratedSecret, ...] = ()
    inputs: tuple[Input, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    tls: bool = True  # {{dir}}/tls/{cert,key,ca}.pem are made and renewed; a renewal reloads
    running: bool = True
    restarts: int = 0
    stop_signal: str = "SIGTERM"
    stop_patience_seconds: float = 20.0
    reload_signal: str = ""  # empty: a reload is a restart
    sampler: Sampler | None = None
    keep_artifacts: tuple[str, ...] = ()  # artifact names that are still wanted; others are removed
    documents: tuple[Document, ...] = ()


class Phase(StrEnum):
    """Where an instance is on its way. Order of a normal start: queued … running."""

    ABSENT = "absent"
    QUEUED = "queued"
    FETCHING = "fetching"
    PREPARING = "preparing"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run. ``state`` is running, succeeded, failed or cancelled; output is capped and secret-free."""

    state: str
    exit_code: int | None = None
    output: str = ""
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    artifact_bytes: int | None = None
    artifact_sha256: str = ""


@dataclass(frozen=True, slots=True)
class UnitStep:
    """One step of the way to running, for the customer's progress list."""

    name: str
    message: str = ""
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class UnitState:
    """One supervised process as seen. ``generation`` is the newest one whose unit has been taken up in full."""

    phase: Phase
    generation: int = 0
    ready: bool = False
    message: str = ""
    reason: str = ""  # CamelCase cause of a failure: PortTaken, PackageFetchFailed, CrashLoop, PrepareFailed …
    ports: Mapping[str, int] = field(default_factory=dict)
    runs: Mapping[str, RunResult] = field(default_factory=dict)
    steps: tuple[UnitStep, ...] = ()
    started_at: datetime.datetime | None = None
    crashes: int = 0
    disk_bytes: int = 0
    memory_bytes: int = 0
    certificate_expires_at: datetime.datetime | None = None
    sample: Mapping[str, float] = field(default_factory=dict)
    documents: Mapping[str, int] = field(default_factory=dict)  # kind -> revision that the engine works with
    refused: Mapping[str, Mapping[uuid.UUID, str]] = field(default_factory=dict)  # kind -> child -> why


# ---- what the driver answers -----------------------------------------------------------------------------------------


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
    """What the driver makes of a backend's state. ``due_in`` None means: a settled service, look again at the sweep."""

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


class LocalDriver(Protocol):
    """Translates a view to a supervised process, and what is seen of it to conditions."""

    def render(self, view: View) -> Unit: ...

    def observe(self, view: View, state: UnitState) -> Observation: ...

    def connect(self, view: View) -> tuple[Connection, ...]: ...


class KubernetesDriver(Protocol):
    """Translates a view to manifests, and the objects that are there to conditions."""

    def render(self, view: View) -> list[dict[str, Any] | GeneratedSecret | Run]: ...

    def observe(self, view: View, objects: list[dict[str, Any]]) -> Observation: ...

    def connect(self, view: View) -> tuple[Connection, ...]: ...


class Batching(Protocol):
    """What a driver has besides, where its offering has a batch kind."""

    def document(self, view: View, kind: str, children: Iterable[ChildView]) -> Iterable[str]:
        """Write the document of all children that are wanted, oldest first, piece by piece."""
        ...


Driver = LocalDriver | KubernetesDriver
