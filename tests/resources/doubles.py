"""Named doubles for the kernel's own tests: an offering that exists only here, and a backend kept in memory.

Real engines and clusters have tests of their own; these drive what a real one can't be made to do on request.
"""

import datetime
import io
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from portal.clusters.backends.base import LogLine, Series, Tenancy, Wanted
from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import (
    ChildObservation,
    CompanionState,
    Connection,
    Endpoint,
    GeneratedSecret,
    Observation,
    Phase,
    Probe,
    Run,
    RunResult,
    Unit,
    UnitState,
    View,
)
from portal.core.offerings import (
    FORK,
    INSTANCE_SECONDS,
    RESIZE,
    RESTART,
    RESTORE,
    START,
    STOP,
    STORAGE_GIB_SECONDS,
    UPGRADE,
    Capabilities,
    ChildKind,
    Nature,
    No,
    Offering,
    Plan,
    Version,
    Yes,
)
from portal.core.specs import Spec, spec_field


class ToySpec(Spec):
    disk_gib: int | None = spec_field(None, title="Disk", unit="GiB", ge=1, le=100, grows_only=True)
    greeting: str = spec_field("hello", title="Greeting", max_length=40)
    store: str | None = spec_field(None, title="Store", ref=("toy",))
    born_with: str = spec_field("a", title="Fixed", changeable=False)


class ToyUserSpec(Spec):
    access: str = spec_field("read", title="Access", pattern="read|write")
    predecessor: str | None = spec_field(None, title="", hidden=True)
    main: bool = spec_field(False, title="", hidden=True)


class NoSettings(Spec):
    pass


USERS = ChildKind(
    slug="users",
    prefix="usr",
    singular="User",
    plural="Users",
    spec=ToyUserSpec,
    verbs=("create", "update", "delete"),
    credential=True,
    initial=(("admin", {"main": True}),),
    protected=lambda spec: "The main login stays." if spec.main else "",
    limit=5,
)
BACKUPS = ChildKind(
    slug="backups",
    prefix="bkp",
    singular="Backup",
    plural="Backups",
    spec=NoSettings,
    nature=Nature.RUN,
    verbs=("create", "delete", "cancel", "retry", "download"),
    generated_name=True,
    lane="backup",
)


class ToyDriver:
    """Renders one process and believes what the backend says."""

    def render(self, view: View) -> Unit:
        return Unit(
            packages=(),
            argv=("toy", view.spec.greeting),  # type: ignore[attr-defined]
            probe=Probe(("true",)),
            ports=("main",),
            running=view.running,
            restarts=view.restarts,
            secrets=tuple(GeneratedSecret(f"user-{user.id}") for user in view.of_kind("users")),
            runs=tuple(Run(child.key, ("do", child.name)) for child in view.children if not child.finished),
        )

    def observe(self, view: View, state: UnitState) -> Observation:
        taken_up = state.generation >= view.generation
        children = {child.id: self._child(child, state) for child in view.children}
        if not view.running:
            stopped = state.phase is Phase.STOPPED
            seen = not_ready("Stopped" if stopped else "Stopping", "It is stopped.")
            extra = (Condition("Stopped", Status.TRUE, "Stopped"),) if stopped else ()
            return Observation((seen, *extra), children=children, settled=stopped and taken_up)
        if state.phase is Phase.FAILED:
            stalled = Condition("Stalled", Status.TRUE, state.reason or "Failed", state.message)
            return Observation((not_ready("Failed", state.message), stalled), children=children)
        is_ready = state.phase is Phase.RUNNING and state.ready
        condition = ready() if is_ready else not_ready("Starting", state.message or "It starts.")
        endpoints = (Endpoint("primary", view.host, state.ports.get("main", 0)),) if state.ports else ()
        return Observation((condition,), {}, endpoints, children, state.steps, settled=is_ready and taken_up)

    def _child(self, child: Any, state: UnitState) -> ChildObservation:
        result = state.runs.get(child.key)
        if child.finished and not child.deleting:
            return ChildObservation(child.state)
        if result is None or result.state == "running":
            return ChildObservation("running" if result else "pending")
        if result.state == "failed":
            return ChildObservation("failed", result.output, "RunFailed")
        if child.deleting:
            return ChildObservation("gone")
        return ChildObservation("succeeded" if child.kind == "backups" else "ready")

    def connect(self, view: View) -> tuple[Connection, ...]:
        port = view.facts["endpoints"][0]["port"]
        return tuple(
            Connection(
                user.id,
                user.name,
                f"user-{user.id}",
                f"toy://{{{{username}}}}:{{{{secret:user-{user.id}.password}}}}@{view.host}:{port}/",
                main=user.spec.main,
            )
            for user in view.of_kind("users")
        )


def no(reason: str = "It is a toy.") -> No:
    return No(reason, "tests/resources/doubles.py")


TOY = Offering(
    slug="toy",
    family="toys",
    name="Toy",
    summary="A service that exists only in the tests.",
    versions=(
        Version("2", ("2.1", "2.0"), default=True),
        Version("1", ("1.0",), end_of_support=datetime.date(2020, 1, 1)),
    ),
    plans=(
        Plan("free", "Free", Decimal("0.5"), 512, 1, free=True),
        Plan("dev-2", "Dev", Decimal(1), 2048, 10),
        Plan("standard-4", "Standard", Decimal(2), 4096, 20),
        Plan("ha-8", "HA", Decimal(2), 8192, 20, nodes=3, backends=("kubernetes",)),
    ),
    spec=ToySpec,
    meters=(INSTANCE_SECONDS, STORAGE_GIB_SECONDS),
    capabilities=Capabilities(
        stop=Yes(),
        resize=Yes(),
        minor_upgrade=Yes(),
        major_upgrade=no(),
        backup=Yes(),
        restore=Yes(),
        pitr=no("It has no log."),
        replicas=no(),
        high_availability=no(),
        users=Yes(),
        rotation=Yes(),
        tls=no(),
        allow_list=Yes(),
        metrics=no(),
        logs=no(),
    ),
    children=(USERS, BACKUPS),
    verbs=(RESTART, STOP, START, RESIZE, UPGRADE, RESTORE, FORK),
    drivers={"local": ToyDriver()},
)


class MemoryBackend:
    """A backend whose state the test sets. ``obey`` makes it do what is asked at once."""

    def __init__(self) -> None:
        self.wanted: dict[str, Wanted] = {}
        self.states: dict[str, UnitState] = {}
        self.secrets: dict[str, dict[str, dict[str, str]]] = {}
        self.tenancies: dict[str, Tenancy] = {}
        self.obey = True
        self.failing_children: set[str] = set()
        self.documents_: dict[str, dict[str, tuple[int, str]]] = {}
        self.rotations: dict[tuple[str, str], int] = {}
        self.started: list[tuple[str, str]] = []  # each start of a run: handle and key
        self.put = 0
        self.error: Exception | None = None
        self.applied = 0

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error

    def prepare(self, handle: str, tenancy: Tenancy) -> None:
        self._answer()
        self.tenancies[handle] = tenancy

    def ensure_secrets(self, handle: str, secrets: Iterable[GeneratedSecret]) -> None:
        self._answer()
        mine = self.secrets.setdefault(handle, {})
        for secret in secrets:
            made = self.rotations.get((handle, secret.name))
            if made is None or made < secret.rotation:
                self.rotations[handle, secret.name] = secret.rotation
                turned = f"-{secret.rotation}" if secret.rotation else ""
                mine[secret.name] = {key: f"canary-{secret.name}-{key}{turned}" for key in secret.keys}

    def documents(self, handle: str) -> dict[str, int]:
        self._answer()
        return {kind: revision for kind, (revision, _text) in self.documents_.get(handle, {}).items()}

    def put_document(self, handle: str, kind: str, revision: int, pieces: Iterable[str]) -> None:
        self._answer()
        self.put += 1
        self.documents_.setdefault(handle, {})[kind] = (revision, "".join(pieces))

    def apply(self, wanted: Wanted) -> None:
        self._answer()
        known = self.wanted.get(wanted.handle)
        if known is not None and known.fence > wanted.fence:
            return
        self.applied += 1
        self.wanted[wanted.handle] = wanted
        if self.obey:
            self.converge(wanted.handle)

    def converge(self, handle: str) -> None:
        """Do what is asked of one service."""
        wanted = self.wanted[handle]
        unit: Unit = wanted.rendered
        before = self.states[handle].runs if handle in self.states else {}
        runs = {run.key: self._result(handle, run, before.get(run.key)) for run in unit.runs}
        phase = Phase.RUNNING if unit.running else Phase.STOPPED
        documents = {document.kind: document.revision for document in unit.documents}
        self.states[handle] = UnitState(
            phase,
            wanted.generation,
            unit.running,
            ports={"main": 20001},
            runs=runs,
            documents=documents,
            companions={one.name: CompanionState(ready=unit.running) for one in unit.companions},
        )

    def _result(self, handle: str, run: Run, before: RunResult | None) -> RunResult:
        """Run what has not succeeded yet; what may start once only is not tried again."""
        if before is not None and (before.state == "succeeded" or run.once):
            return before
        if run.cancelled:
            return RunResult("cancelled")
        self.started.append((handle, run.key))
        if run.argv[0] == "take":
            return RunResult("succeeded", 0, json.dumps(self._refused(handle, run.argv[1])))
        fails = run.argv[-1] in self.failing_children
        return RunResult("failed", 1, "it broke") if fails else RunResult("succeeded", 0)

    def _refused(self, handle: str, kind: str) -> dict[str, str]:
        """Refuse what is nowhere."""
        lines = self.documents_[handle][kind][1].splitlines()
        return {line.split(",")[0]: "It is nowhere." for line in lines if line.split(",")[2] == "nowhere"}

    def read(self, handle: str) -> UnitState:
        self._answer()
        return self.states.get(handle, UnitState(Phase.QUEUED))

    def patience(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=2)

    def delete(self, handle: str, *, fence: int) -> None:
        self._answer()
        if self.obey:
            for table in (self.wanted, self.states, self.secrets, self.documents_):
                table.pop(handle, None)  # type: ignore[attr-defined]

    def leftovers(self, handle: str) -> list[str]:
        return ["process"] if handle in self.states else []

    def reveal(self, handle: str, names: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        self._answer()
        stored = self.secrets[handle]
        return {name: stored[name] for name in names if name in stored}

    def logs(self, handle: str, **range_: Any) -> list[LogLine]:
        return []

    def metrics(self, handle: str, **range_: Any) -> list[Series]:
        return []

    def artifact(self, handle: str, name: str) -> io.BytesIO:
        return io.BytesIO(b"artifact")

    def ca_pem(self) -> str:
        return "-----BEGIN CERTIFICATE-----\n"
