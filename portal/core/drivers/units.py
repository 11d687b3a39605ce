"""What a driver may render for any backend, and the words of the local one: a supervised process, asked for and seen.

Text in a ``Unit`` may hold placeholders, see ``portal.core.drivers``.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


def literal(text: str) -> str:
    """Return text of a customer's so that a unit can hold it: no placeholder in it comes to life."""
    return text.replace("{", "{{lb}}")


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
class Companion:
    """A process beside the main one, in the same sandbox and directory: a TLS front, a replica, a node of a cluster.

    Started once the main process has answered for the first time; from then on the two go their own ways. When one ends
    the other stays, and each is started again alone, with back-off. Only what concerns all (``Unit.restarts``, limits,
    packages, ``Unit.env``) starts all anew: companions stop first, the main process next, and they begin after it.

    The service is ready when the main process and every companion are: one with a probe once that answers, one without
    while it lives. Runs begin once each companion is ready or has said why it is not. Its log is a source of its own in
    the service's log, named as it is. No longer rendered it is stopped; what it has made below ``{{dir}}`` stays.
    """

    name: str  # lower-case letters, digits and hyphens, 32 at most
    argv: tuple[str, ...]
    probe: Probe | None = None
    env: Mapping[str, str] = field(default_factory=dict)  # on top of ``Unit.env``, also for its probe and preparation
    # Paths of ``Unit.files`` and documents, or ``tls/cert.pem``, whose change is about the companions that list it and
    # not about the main process. A renewed certificate is a change that asks for a reload.
    files: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()  # such paths that it reads as the main process does: a change is about both
    prepare: tuple[Command, ...] = ()  # run once, in order, before its first start; a crash repeats them all, as it is
    stop_signal: str = "SIGTERM"
    stop_patience_seconds: float = 20.0
    reload_signal: str = ""  # empty: a reload is a restart


@dataclass(frozen=True, slots=True)
class Unit:
    """One service's processes on this machine, as asked for: a main one, and its companions."""

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
    companions: tuple[Companion, ...] = ()


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
class CompanionState:
    """One companion as seen. ``reason`` and ``message`` tell why it is not ready, in the words of ``UnitState``.

    No reason and not ready: it is on its way.
    """

    ready: bool
    message: str = ""
    reason: str = ""
    crashes: int = 0
    started_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class UnitState:
    """A service's processes as seen. ``generation`` is the newest one whose unit has been taken up in full.

    ``phase``, ``started_at`` and ``crashes`` are those of the main process, ``ready`` is that of all. A companion in
    trouble leaves the phase at running; ``reason`` is that of the first such, and ``message`` begins with its name.
    """

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
    companions: Mapping[str, CompanionState] = field(default_factory=dict)
