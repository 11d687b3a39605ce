"""Companions in words: what is asked of them and seen of them as JSON, whose a file is, and what is refused."""

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest

from portal.clusters.backends.base import Wanted
from portal.clusters.backends.local import codec, ports, proc
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.limits import Groups
from portal.clusters.backends.local.render import RenderError, Values
from portal.clusters.backends.local.sandbox import Room, Sandbox
from portal.clusters.backends.local.supervisor import places
from portal.clusters.backends.local.supervisor.children import Children
from portal.clusters.backends.local.supervisor.commands import Place
from portal.clusters.backends.local.supervisor.engine import Identity
from portal.clusters.backends.local.supervisor.record import Record
from portal.core.drivers import (
    Command,
    Companion,
    CompanionState,
    File,
    GeneratedSecret,
    Limits,
    Phase,
    Probe,
    Unit,
    UnitState,
)
from portal.core.errors import PermanentError
from tests.clusters.local.test_backend import backend_in
from tests.resources.doubles import MemoryBackend

HANDLE = "abcdefgh2345"
FRONT = Companion(
    "front",
    ("proxy", "{{port:front}}"),
    Probe(("ask",), every_seconds=5),
    {"LEVEL": "1"},
    files=("etc/front.conf", "tls/cert.pem"),
    shared=("etc/both.conf",),
    prepare=(Command("lay", ("lay", "it")),),
    reload_signal="SIGHUP",
)
UNIT = Unit(
    packages=("proxy-1",),
    argv=("engine",),
    probe=Probe(("true",)),
    ports=("main", "front"),
    files=(File("etc/main.conf", "m"), File("etc/front.conf", "f"), File("etc/both.conf", "b")),
    companions=(FRONT, Companion("copy", ("copy",))),
)


def test_a_unit_and_its_state_come_back_from_json_as_they_were() -> None:
    assert codec.unit_from_json(codec.unit_to_json(UNIT)) == UNIT
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    beside = {"front": CompanionState(False, "no certificate", "CrashLoop", 5, moment), "copy": CompanionState(True)}
    state = UnitState(Phase.RUNNING, companions=beside)
    assert codec.state_from_json(codec.state_to_json(state)) == state


def test_what_was_stored_before_there_were_companions_is_read() -> None:
    unit, state = codec.unit_to_json(UNIT), codec.state_to_json(UnitState(Phase.RUNNING))
    del unit["companions"], state["companions"]
    assert codec.unit_from_json(unit).companions == ()
    assert codec.state_from_json(state).companions == {}


# ---- whose a file is -------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    home = Home(tmp_path, HANDLE)
    values = Values({"dir": home.root}, ports={"main": 1, "front": 2})
    sandbox = Sandbox(None, tmp_path, "a test")
    return Place(home, Children(), sandbox, Groups(1, {}), Room(HANDLE, ()), values, UNIT.limits, {"A": "1"})


def test_a_file_is_about_those_that_list_it(place: Place) -> None:
    wanted = places.rendered(UNIT, place, place.home)
    assert set(places.mains(UNIT, wanted)) == {"etc/main.conf", "etc/both.conf"}
    assert set(places.companions(FRONT, wanted)) == {"etc/front.conf", "etc/both.conf"}
    assert places.companions(UNIT.companions[1], wanted) == {}
    with pytest.raises(RenderError, match=r"front names 'etc/other.conf', which is no file"):
        places.companions(dataclasses.replace(FRONT, files=("etc/other.conf",)), wanted)


@pytest.mark.parametrize(
    ("files", "shared", "mains", "companions"),
    [((), (), True, False), (("tls/key.pem",), (), False, True), ((), ("tls/cert.pem",), True, True)],
)
def test_a_certificate_is_about_those_that_list_it(
    files: tuple[str, ...], shared: tuple[str, ...], mains: bool, companions: bool
) -> None:
    one = dataclasses.replace(FRONT, files=files, shared=shared)
    unit = dataclasses.replace(UNIT, companions=(one,))
    assert (places.mains_tls(unit), places.companions_tls(unit, one)) == (mains, companions)
    assert not places.companions_tls(dataclasses.replace(unit, tls=False), one)


def test_a_file_that_nobody_has_any_more_is_removed_and_one_that_moved_is_not(place: Place) -> None:
    (place.home.root / "etc").mkdir(parents=True)
    for name in ("gone", "moved"):
        (place.home.root / f"etc/{name}.conf").touch()
    before = Identity(files={"etc/gone.conf": ["1", "restart"], "etc/moved.conf": ["1", "restart"]})
    places.remove_files(place.home, before, {"etc/moved.conf"})
    assert [path.name for path in (place.home.root / "etc").iterdir()] == ["moved.conf"]


@pytest.mark.parametrize(
    ("changes", "of_unit", "asked"),
    [
        ({}, {}, ""),
        ({"argv": ("proxy", "-v")}, {}, "restart"),
        ({"env": {"LEVEL": "2"}}, {}, "restart"),
        ({"stop_patience_seconds": 1.0}, {}, ""),
        ({}, {"restarts": 1}, "restart"),
        ({}, {"limits": Limits(memory_mib=512)}, "restart"),
        ({}, {"packages": ("proxy-2",)}, "restart"),
        ({}, {"argv": ("engine", "-v")}, ""),
        ({}, {"before_start": (Command("x", ("x",)),)}, ""),
    ],
)
def test_what_a_change_asks_of_a_companion(
    place: Place, changes: dict[str, Any], of_unit: dict[str, Any], asked: str
) -> None:
    now = {"etc/front.conf": ["1", "restart"]}
    identity = Identity(digest=places.digest(UNIT, place, FRONT), files=now)
    unit, one = dataclasses.replace(UNIT, **of_unit), dataclasses.replace(FRONT, **changes)
    assert places.change(identity, one, unit.restarts, now, places.digest(unit, place, one)) == asked


def test_a_companion_carries_its_mark_and_its_own_environment(place: Place) -> None:
    beside = places.beside(place, FRONT)
    assert beside.environment({}) == {"A": "1", "LEVEL": "1", proc.COMPANION: "front"}
    assert places.beside(place, FRONT, one_shot=True).environment({})[proc.COMPANION] == "front/"


# ---- what is remembered ----------------------------------------------------------------------------------------------


def test_the_record_of_companions_outlives_a_crash(tmp_path: Path) -> None:
    home = Home(tmp_path, HANDLE)
    home.make()
    record = Record(home)
    record.remember_companion("front", Identity(pid=12, start=34, files={"a": ["1", "reload"]}))
    seen = {"front": CompanionState(ready=False)}
    assert record.update(companions=seen)
    assert not record.update(companions={"front": CompanionState(ready=False, message="starting")}), "that is no news"
    assert record.update(companions={"front": CompanionState(ready=True)}), "that is"
    again = Record(home)
    assert again.companions == record.companions
    assert again.seen.companions["front"].ready


# ---- what is refused, and the double ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("companions", "said"),
    [
        ((Companion("Front", ("x",)),), "names of their own"),
        ((Companion("../up", ("x",)),), "names of their own"),
        ((Companion("engine", ("x",)),), "names of their own"),
        ((Companion("a", ("x",)), Companion("a", ("y",))), "names of their own"),
        ((Companion("a", ("x", "{{secret:s.password}}")),), "a secret would stand"),
        ((Companion("a", ("x",), Probe(("y", "{{secret:s.password}}"))),), "a secret would stand"),
        ((Companion("a", ("x",), prepare=(Command("c", ("{{secret:s.password}}",)),)),), "a secret would stand"),
    ],
)
def test_odd_companions_are_refused_before_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, companions: tuple[Companion, ...], said: str
) -> None:
    monkeypatch.setattr(ports, "bindable", lambda port: True)
    backend = backend_in(tmp_path, tmp_path / "claims")
    unit = dataclasses.replace(UNIT, secrets=(GeneratedSecret("s"),), companions=companions)
    with pytest.raises(PermanentError, match=said):
        backend.apply(Wanted(HANDLE, 1, 1, unit))
    assert backend.read(HANDLE).phase is Phase.ABSENT
    backend.apply(Wanted(HANDLE, 1, 1, UNIT))
    assert set(backend.read(HANDLE).ports) == {"main", "front"}


def test_the_backend_in_memory_knows_them() -> None:
    backend = MemoryBackend()
    backend.apply(Wanted(HANDLE, 1, 1, UNIT))
    assert {name: one.ready for name, one in backend.read(HANDLE).companions.items()} == {"front": True, "copy": True}
