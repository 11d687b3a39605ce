"""Two offerings that exist only here and ask of the kernel what PostgreSQL does not.

FLEET has parts by the ten thousand, kept as one document. WORKSHOP has jobs, uses another service, brings one along,
rotates a generated secret, has a run that may start once only, and a spec that was once written another way.
"""

import json
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import (
    BatchObservation,
    ChildObservation,
    ChildView,
    Connection,
    Document,
    Endpoint,
    GeneratedSecret,
    Observation,
    Phase,
    Probe,
    Run,
    Unit,
    UnitState,
    View,
)
from portal.core.offerings import (
    INSTANCE_SECONDS,
    RESIZE,
    START,
    STOP,
    Capabilities,
    ChildKind,
    Nature,
    Offering,
    Part,
    Plan,
    Sync,
    Version,
    Yes,
)
from portal.core.specs import Spec, spec_field
from tests.resources.doubles import no

PLANS = (
    Plan("free", "Free", Decimal("0.5"), 512, 1, free=True),
    Plan("dev-2", "Dev", Decimal(1), 2048, 10),
    Plan("standard-4", "Standard", Decimal(2), 4096, 20),
)
CAPABILITIES = Capabilities(
    stop=Yes(),
    resize=Yes(),
    minor_upgrade=no(),
    major_upgrade=no(),
    backup=no(),
    restore=no(),
    pitr=no(),
    replicas=no(),
    high_availability=no(),
    users=no(),
    rotation=no(),
    tls=no(),
    allow_list=no(),
    metrics=no(),
    logs=no(),
)


def whole(view: View, state: UnitState, **more: Any) -> Observation:
    """Observe the process: stopped, ready, or on its way."""
    taken_up = state.generation >= view.generation
    if not view.running:
        stopped = state.phase is Phase.STOPPED
        found = (not_ready("Stopped", "It is stopped."), Condition("Stopped", Status.TRUE, "Stopped"))
        return Observation(found if stopped else found[:1], settled=stopped and taken_up, **more)
    is_ready = state.phase is Phase.RUNNING and state.ready
    condition = ready() if is_ready else not_ready("Starting", "It starts.")
    endpoints = (Endpoint("primary", view.host, state.ports.get("main", 0)),) if state.ports else ()
    return Observation((condition,), endpoints=endpoints, settled=is_ready and taken_up, **more)


class FleetSpec(Spec):
    greeting: str = spec_field("hello", title="Greeting", max_length=40)


class DeviceSpec(Spec):
    place: str = spec_field("", title="Place", max_length=40)
    enabled: bool = spec_field(True, title="Enabled")


DEVICES = ChildKind(
    slug="devices",
    prefix="dev",
    singular="Device",
    plural="Devices",
    spec=DeviceSpec,
    verbs=("create", "update", "delete"),
    limit=25_000,
    columns=(("place", "Place"),),
    sync=Sync.BATCH,
)


class FleetDriver:
    """Writes one line per device; a device whose place is "nowhere" is refused."""

    def render(self, view: View) -> Unit:
        return Unit(
            packages=(),
            argv=("fleet", view.spec.greeting),  # type: ignore[attr-defined]
            probe=Probe(("true",)),
            ports=("main",),
            running=view.running,
            documents=tuple(Document(kind, f"{kind}.csv", revision) for kind, revision in view.batches.items()),
            runs=tuple(Run(_key(kind, revision), ("take", kind)) for kind, revision in view.batches.items()),
        )

    def document(self, view: View, kind: str, children: Iterable[ChildView]) -> Iterator[str]:
        for child in children:
            yield f"{child.id},{child.name},{child.spec.place},{int(child.spec.enabled)}\n"

    def observe(self, view: View, state: UnitState) -> Observation:
        found = {kind: _taken(state, kind) for kind in view.batches}
        return whole(view, state, batches={kind: seen for kind, seen in found.items() if seen is not None})

    def connect(self, view: View) -> tuple[Connection, ...]:
        return ()


def _key(kind: str, revision: int) -> str:
    return f"take:{kind}:{revision}"


def _taken(state: UnitState, kind: str) -> BatchObservation | None:
    """Return what the engine said of the document that lies in its place, once it has taken it up."""
    revision = state.documents.get(kind, 0)
    result = state.runs.get(_key(kind, revision))
    if result is None or result.state != "succeeded":
        return None
    return BatchObservation(revision, {uuid.UUID(key): why for key, why in json.loads(result.output).items()})


FLEET = Offering(
    slug="fleet",
    family="toys",
    name="Fleet",
    summary="Thousands of devices, in the tests only.",
    versions=(Version("1", ("1.0",), default=True),),
    plans=PLANS,
    spec=FleetSpec,
    meters=(INSTANCE_SECONDS,),
    capabilities=CAPABILITIES,
    children=(DEVICES,),
    verbs=(STOP, START, RESIZE),
    drivers={"local": FleetDriver()},
)


class WorkshopSpec(Spec):
    """Version 2; version 1 called ``workers`` ``size`` and knew it as a word."""

    workers: int = spec_field(1, title="Workers", ge=1, le=16)
    key_version: int = spec_field(1, title="Key version", ge=1, le=1000, grows_only=True)
    store: str | None = spec_field(None, title="Store", ref=("toy",))
    with_cache: bool = spec_field(True, title="With a cache of its own")


SIZES = {"small": 1, "large": 8}


def upgrade_spec(version: int, stored: dict[str, Any]) -> dict[str, Any]:
    """Read the size of version 1 as a number of workers."""
    if version == 1:
        stored["workers"] = SIZES[stored.pop("size")]
    return stored


class JobSpec(Spec):
    command: str = spec_field("make", title="Command", max_length=40)


JOBS = ChildKind(
    slug="jobs",
    prefix="job",
    singular="Job",
    plural="Jobs",
    spec=JobSpec,
    nature=Nature.RUN,
    verbs=("create", "delete", "cancel", "retry"),
    lane="jobs",
)


class WorkshopDriver:
    """Runs ``furnish`` once in a lifetime, then its jobs; waits for the cache that it brings along."""

    def render(self, view: View) -> Unit:
        jobs = (job for job in view.of_kind("jobs") if not job.finished)
        return Unit(
            packages=(),
            argv=("workshop", str(view.spec.workers)),  # type: ignore[attr-defined]
            probe=Probe(("true",)),
            ports=("main",),
            env={f"{role.upper()}_HOST": link.handle for role, link in view.links.items()},
            running=view.running,
            secrets=(GeneratedSecret("api-key", rotation=view.spec.key_version),),  # type: ignore[attr-defined]
            runs=(
                Run("furnish", ("furnish",), once=True),
                *(Run(job.key, ("do", job.name), cancelled=job.cancelled) for job in jobs),
            ),
        )

    def observe(self, view: View, state: UnitState) -> Observation:
        children = {job.id: self._job(job, state) for job in view.of_kind("jobs")}
        waiting = [role for role, link in view.links.items() if not link.ready]
        if view.running and waiting:
            return Observation((not_ready("Waiting", f"It waits for {', '.join(waiting)}."),), children=children)
        return whole(view, state, children=children)

    def _job(self, job: ChildView, state: UnitState) -> ChildObservation:
        result = state.runs.get(job.key)
        if job.deleting:
            return ChildObservation("gone")
        if job.finished or result is None:
            return ChildObservation(job.state)
        return ChildObservation(result.state, result.output)

    def connect(self, view: View) -> tuple[Connection, ...]:
        return ()


def brings_along(plan: Plan, spec: Any) -> tuple[Part, ...]:
    """Return the cache, as large as the workshop's plan asks."""
    size = "standard-4" if plan.slug == "standard-4" else "dev-2"
    return (Part("cache", "toy", size, spec={"greeting": "cache"}),) if spec.with_cache else ()


WORKSHOP = Offering(
    slug="workshop",
    family="toys",
    name="Workshop",
    summary="Jobs, links, a part of its own and a rotating key, in the tests only.",
    versions=(Version("1", ("1.0",), default=True),),
    plans=PLANS,
    spec=WorkshopSpec,
    meters=(INSTANCE_SECONDS,),
    capabilities=CAPABILITIES,
    children=(JOBS,),
    verbs=(STOP, START, RESIZE),
    drivers={"local": WorkshopDriver()},
    spec_version=2,
    upgrade_spec=upgrade_spec,
    parts=brings_along,
)
