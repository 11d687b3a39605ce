"""Every local driver: the same view gives the same unit, secrets stay references, and ready means ready."""

import datetime
import json
import uuid
from dataclasses import asdict, replace
from itertools import product

import pytest

from portal.clusters.backends.local.render import placeholders
from portal.core import conditions, registry
from portal.core.conditions import Status
from portal.core.drivers import ChildView, Phase, RunResult, Unit, UnitState, View
from portal.core.offerings import Nature, Offering

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LOCAL = [
    pytest.param(offering, plan, version, id=f"{offering.slug}-{version.line}-{plan.slug}")
    for offering in registry.offerings().values()
    if "local" in offering.drivers
    for plan, version in product(offering.plans, offering.versions)
    if "local" in plan.backends
]


def view_of(offering: Offering, plan: object, version: object, **fields: object) -> View:
    """Return a view with the children that a new service has."""
    children = tuple(
        ChildView(uuid.uuid5(uuid.NAMESPACE_OID, name), kind.slug, name, kind.spec.model_validate(dict(spec)), 1, 0)
        for kind in offering.children
        for name, spec in kind.initial
    )
    values: dict[str, object] = {
        "handle": "abcdefghijkl",
        "offering": offering.slug,
        "name": "box",
        "version": version.line,  # type: ignore[attr-defined]
        "release": version.newest,  # type: ignore[attr-defined]
        "plan": plan,
        "spec": offering.spec(),
        "generation": 3,
        "running": True,
        "restarts": 0,
        "host": "localhost",
        "children": children,
    }
    return View(**(values | fields))  # type: ignore[arg-type]


def done(unit: Unit, view: View, **fields: object) -> UnitState:
    """Return the state of a unit that has come to run, all runs done."""
    ports = {name: 20000 + number for number, name in enumerate(unit.ports)}
    runs = {run.key: RunResult("succeeded", 0, started_at=NOW, finished_at=NOW) for run in unit.runs}
    state = UnitState(Phase.RUNNING, view.generation, ready=True, ports=ports, runs=runs)
    return replace(state, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("offering", "plan", "version"), LOCAL)
def test_rendering_is_pure(offering: Offering, plan: object, version: object) -> None:
    view, driver = view_of(offering, plan, version), offering.drivers["local"]
    first, second = driver.render(view), driver.render(view)
    assert first == second
    assert json.dumps(asdict(first), sort_keys=True, default=str)  # type: ignore[call-overload]


@pytest.mark.parametrize(("offering", "plan", "version"), LOCAL)
def test_no_secret_stands_on_a_command_line(offering: Offering, plan: object, version: object) -> None:
    unit = offering.drivers["local"].render(view_of(offering, plan, version))
    assert isinstance(unit, Unit)
    parts = (*unit.groundwork, *unit.prepare, *unit.before_start, *unit.runs)
    commands = [unit.argv, unit.probe.argv, *(part.argv for part in parts)]
    assert not [argv for argv in commands if any("{{secret:" in word for word in argv)]
    assert unit.limits.memory_mib > 0
    assert unit.probe.argv


@pytest.mark.parametrize(("offering", "plan", "version"), LOCAL)
def test_the_groundwork_is_the_same_for_every_service(offering: Offering, plan: object, version: object) -> None:
    driver = offering.drivers["local"]
    unit = driver.render(view_of(offering, plan, version))
    other = driver.render(view_of(offering, offering.plans[0], version, handle="zzzzzzzzzzzz", name="other"))
    assert isinstance(unit, Unit)
    assert isinstance(other, Unit)
    assert unit.groundwork == other.groundwork
    texts = [text for c in unit.groundwork for text in (*c.argv, c.stdin, *c.env.values())]
    assert placeholders(texts) <= {"dir", "package", "lb"}


@pytest.mark.parametrize(("offering", "plan", "version"), LOCAL)
def test_it_is_ready_when_its_process_is_and_not_before(offering: Offering, plan: object, version: object) -> None:
    view, driver = view_of(offering, plan, version), offering.drivers["local"]
    unit = driver.render(view)
    assert isinstance(unit, Unit)
    for phase in (Phase.QUEUED, Phase.FETCHING, Phase.PREPARING, Phase.STARTING):
        early = driver.observe(view, UnitState(phase))  # type: ignore[arg-type]
        assert not conditions.is_true([c.as_json() for c in early.conditions], "Ready")
        assert not early.settled
    seen = driver.observe(view, done(unit, view))  # type: ignore[arg-type]
    assert conditions.is_true([c.as_json() for c in seen.conditions], "Ready")
    assert seen.settled
    assert seen.endpoints
    assert all(c.reason and c.reason[0].isupper() for c in seen.conditions)
    older = driver.observe(view, done(unit, view, generation=2))  # type: ignore[arg-type]
    assert not older.settled
    assert set(seen.children) >= {child.id for child in view.children}
    assert all(child.state == "ready" for child in seen.children.values())


@pytest.mark.parametrize(("offering", "plan", "version"), LOCAL)
def test_it_says_when_it_has_stopped_and_when_it_has_failed(offering: Offering, plan: object, version: object) -> None:
    view, driver = view_of(offering, plan, version, running=False), offering.drivers["local"]
    unit = driver.render(view)
    assert isinstance(unit, Unit)
    assert unit.running is False
    stopped = driver.observe(view, UnitState(Phase.STOPPED, view.generation))  # type: ignore[arg-type]
    kinds = {c.type: c.status for c in stopped.conditions}
    assert kinds["Stopped"] is Status.TRUE
    assert kinds["Ready"] is Status.FALSE
    assert stopped.settled
    broken = UnitState(Phase.FAILED, reason="CrashLoop", message="It ends again and again.")
    seen = driver.observe(replace(view, running=True), broken)  # type: ignore[arg-type]
    assert not conditions.is_true([c.as_json() for c in seen.conditions], "Ready")
    assert any(c.message for c in seen.conditions if c.type == "Ready")


@pytest.mark.parametrize(("offering", "plan", "version"), LOCAL)
def test_each_login_is_a_reference_with_an_address(offering: Offering, plan: object, version: object) -> None:
    kind = offering.credentials_kind
    view, driver = view_of(offering, plan, version), offering.drivers["local"]
    unit = driver.render(view)
    assert isinstance(unit, Unit)
    endpoints = [e.as_json() for e in driver.observe(view, done(unit, view)).endpoints]  # type: ignore[arg-type]
    connections = driver.connect(replace(view, facts={"endpoints": endpoints}))
    if kind is None:
        assert connections == ()
        return
    assert sum(connection.main for connection in connections) == 1
    made = {secret.name for secret in unit.secrets}
    for connection in connections:
        assert connection.secret in made
        assert f"{{{{secret:{connection.secret}." in connection.uri
        assert str(endpoints[0]["port"]) in connection.uri
        assert connection.snippets


@pytest.mark.parametrize(("offering", "plan", "version"), LOCAL)
def test_each_run_is_asked_for_once_and_then_over(offering: Offering, plan: object, version: object) -> None:
    driver = offering.drivers["local"]
    for kind in (k for k in offering.children if k.nature is Nature.RUN):
        child = ChildView(uuid.uuid4(), kind.slug, "run-1", kind.spec(), 1, 0)
        base = view_of(offering, plan, version)
        view = replace(base, children=(*base.children, child))
        unit = driver.render(view)
        assert isinstance(unit, Unit)
        assert child.key in [run.key for run in unit.runs]
        seen = driver.observe(view, done(unit, view))  # type: ignore[arg-type]
        assert seen.children[child.id].state == "succeeded"
        finished = replace(child, state="succeeded", facts=dict(seen.children[child.id].facts))
        later = driver.render(replace(view, children=(*base.children, finished)))
        assert isinstance(later, Unit)
        assert child.key not in [run.key for run in later.runs]
