"""The stock of prepared directories: each its own, none used twice or broken, none with a secret, never too many."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.render import RenderError, Values
from portal.clusters.backends.local.supervisor.groundwork import Groundwork
from portal.clusters.backends.local.supervisor.host import Host
from portal.clusters.backends.local.supervisor.stock import HANDLE, Bounds, Stock
from portal.core.drivers import Command, GeneratedSecret, Phase, Probe, Unit

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

Units = Callable[..., Unit]
FIRST, SECOND, THIRD = "first2345678", "second234567", "third2345678"
SECRET = GeneratedSecret("canary")
_GROUND = "import os, sys; open(sys.argv[1] + '/ground', 'x').write(os.urandom(16).hex())"
_OWN = (
    "import os, sys, time\n"
    "assert len(open(sys.argv[1] + '/ground').read()) == 32, 'the ground is not whole'\n"
    "open(sys.argv[1] + '/own', 'w').write(sys.stdin.read())\n"
    "while len(sys.argv) > 2 and not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
)


def python(name: str, code: str, *words: str, stdin: str = "") -> Command:
    return Command(name, ("/usr/bin/python3", "-I", "-c", code, *words), stdin=stdin)


@pytest.fixture
def grounded(small_unit: Units) -> Units:
    """A small engine whose preparation begins with a groundwork that is another one each time."""

    def make(**rest: object) -> Unit:
        own = python("own", _OWN, "{{dir}}", stdin="{{secret:canary.password}}")
        parts = {"groundwork": (python("ground", _GROUND, "{{dir}}"),), "prepare": (own,), "secrets": (SECRET,)}
        return small_unit(**{**parts, **rest})

    return make


def grounds(room: "Supervised") -> set[str]:
    """Return what lies in stock by its mark."""
    return {path.read_text() for path in room.data.glob("stock/*/ready-*/root/ground")}


def ground(room: "Supervised", handle: str) -> str:
    return (room.data / "services" / handle / "root" / "ground").read_text()


def until_full(room: "Supervised", number: int = Bounds().each) -> set[str]:
    room.eventually(lambda: len(grounds(room)) == number, f"{number} lie in stock")
    return grounds(room)


def ordered(room: "Supervised", handle: str, unit: Unit) -> None:
    room.wish(handle, unit)
    room.until_ready(handle)


# ---- with a real supervisor ------------------------------------------------------------------------------------------


@pytest.mark.engine
def test_what_was_ordered_once_is_kept_in_stock_and_each_is_used_once(either: "Supervised", grounded: Units) -> None:
    ordered(either, FIRST, grounded())
    stocked = until_full(either)
    assert len(stocked) == Bounds().each
    assert ground(either, FIRST) not in stocked
    ordered(either, SECOND, grounded())
    ordered(either, THIRD, grounded())
    taken = {ground(either, SECOND), ground(either, THIRD)}
    assert taken < stocked
    assert len(taken) == 2
    assert not taken & until_full(either)


@pytest.mark.engine
def test_nothing_of_a_service_lies_in_stock_and_nobody_else_may_look(supervised: "Supervised", grounded: Units) -> None:
    ordered(supervised, FIRST, grounded())
    until_full(supervised)
    secret = json.loads((supervised.data / "services" / FIRST / "secrets.json").read_text())["canary"]["values"]
    assert (supervised.data / "services" / FIRST / "root" / "own").read_text() == secret["password"]
    found = [path for path in supervised.data.glob("stock/**/*") if path.is_file()]
    for path in found:
        text = path.read_text()
        assert secret["password"] not in text, path
        assert FIRST not in text, path
        assert path.stat().st_mode & 0o077 == 0, path
    assert {path.name for path in found} == {"recipe.json", "ground"}


@pytest.mark.engine
def test_a_kill_between_taking_and_using_doubles_and_orphans_nothing(supervised: "Supervised", grounded: Units) -> None:
    ordered(supervised, FIRST, grounded())
    stocked = until_full(supervised)
    own = python("own", _OWN, "{{dir}}", "{{artifacts}}/go", stdin="x")
    home = supervised.wish(SECOND, grounded(prepare=(own,)))
    supervised.eventually((home.root / "own").exists, "it is under way")
    taken = ground(supervised, SECOND)
    assert taken in stocked
    supervised.kill()
    assert not home.prepared.exists()
    (home.artifacts / "go").touch()
    supervised.start()
    supervised.until_ready(SECOND)
    again = ground(supervised, SECOND)
    assert again in stocked - {taken}
    assert not {taken, again} & until_full(supervised)
    assert not proc.of_instance(supervised.data, HANDLE)


@pytest.mark.engine
def test_the_stock_outlives_its_supervisor_and_what_was_half_made_does_not(
    supervised: "Supervised", grounded: Units
) -> None:
    slow = python("ground", f"{_GROUND}; import time; time.sleep(1.0)", "{{dir}}")
    ordered(supervised, FIRST, grounded(groundwork=(slow,)))
    stocked = until_full(supervised, 1)
    supervised.eventually(lambda: list(supervised.data.glob("stock/*/making-*/root/ground")), "the next is being made")
    supervised.kill()
    half = {path.read_text() for path in supervised.data.glob("stock/*/making-*/root/ground")}
    supervised.start()
    later = until_full(supervised, 2)
    assert stocked < later
    assert not half & later
    supervised.eventually(lambda: proc.of_instance(supervised.data, HANDLE), "one is being made")
    assert supervised.end(signal.SIGTERM) == 0
    assert proc.by_instance(supervised.data) == {}
    assert not list(supervised.data.glob("stock/*/making-*"))


@pytest.mark.engine
def test_a_broken_directory_is_not_used_and_the_order_succeeds(supervised: "Supervised", grounded: Units) -> None:
    ordered(supervised, FIRST, grounded())
    until_full(supervised)
    for path in supervised.data.glob("stock/*/ready-*/root/ground"):
        path.write_text("damaged")
    ordered(supervised, SECOND, grounded())
    assert len(ground(supervised, SECOND)) == 32
    assert "damaged" not in grounds(supervised)  # it may have been filled again by now
    assert "of no use: own: " in supervised.log()


@pytest.mark.engine
def test_a_deleted_service_gives_nothing_back_to_the_stock(supervised: "Supervised", grounded: Units) -> None:
    ordered(supervised, FIRST, grounded())
    until_full(supervised)
    ordered(supervised, SECOND, grounded())
    used = ground(supervised, SECOND)
    home = supervised.wish(SECOND, grounded(), want="absent", generation=2)
    supervised.eventually(lambda: not home.exists(), "it is gone")
    assert used not in until_full(supervised)


@pytest.mark.engine
def test_a_groundwork_that_wants_to_know_the_instance_is_refused(supervised: "Supervised", grounded: Units) -> None:
    nosy = python("ground", _GROUND, "{{run}}")
    supervised.wish(FIRST, grounded(groundwork=(nosy,)))
    state = supervised.until(FIRST, Phase.FAILED)
    assert (state.reason, state.message) == ("InvalidUnit", "there is nothing for {{run}}")
    assert not list(supervised.data.glob("stock/*"))


# ---- by itself -------------------------------------------------------------------------------------------------------


class Storeroom:
    """A stock without a supervisor, on a directory of its own."""

    def __init__(self, data: Path, **bounds: float) -> None:
        self.data, self.packages = data, data / "packages"
        host = SimpleNamespace(data=data, packages=self.packages, missing=lambda keys: [])
        settled = {"free_bytes": 0, **bounds}
        self.stock = Stock(cast(Host, host), lambda: False, Bounds(**settled))  # type: ignore[arg-type]

    def install(self, key: str, version: str) -> None:
        (self.packages / key).mkdir(parents=True, exist_ok=True)
        (self.packages / key / "manifest.json").write_text(json.dumps({"key": key, "version": version}))

    def put(self, unit: Unit, number: int, size: int = 1000, age: float = 0.0) -> None:
        """Lay down directories as if they had been made ``age`` seconds ago."""
        self.stock.note(unit)
        shelf = next(path for path in self.shelves() if json.loads((path / "recipe.json").read_text()) == _recipe(unit))
        for count in range(number):
            (shelf / f"ready-{unit.packages[0]}{count}-{size}" / "root").mkdir(parents=True)
        for path in (*shelf.glob("ready-*"), shelf / "recipe.json"):
            os.utime(path, (time.time() - age, time.time() - age))

    def shelves(self) -> list[Path]:
        return list((self.data / "stock").glob("*"))

    def ready(self) -> list[str]:
        return sorted(path.name.split("-")[1] for path in self.data.glob("stock/*/ready-*"))


def _recipe(unit: Unit) -> object:
    from dataclasses import asdict

    return json.loads(json.dumps(asdict(Groundwork.of(unit))))


def unit_of(package: str, *more: str) -> Unit:
    work = (Command("ground", ("/usr/bin/true", *more)),)
    return Unit(packages=(package,), argv=("x",), probe=Probe(("y",)), ports=(), groundwork=work)


def test_an_exchanged_package_a_changed_command_and_a_week_without_an_order_empty_the_shelf(tmp_path: Path) -> None:
    room = Storeroom(tmp_path, oldest=100.0)
    room.install("one", "1.0")
    room.install("two", "1.0")
    room.put(unit_of("one"), 2)
    room.put(unit_of("two"), 2)
    room.stock.sweep()
    assert room.ready() == ["one0", "one1", "two0", "two1"]
    assert not room.stock.take(unit_of("one", "changed"), tmp_path / "taken")
    room.install("one", "1.1")
    assert not room.stock.take(unit_of("one"), tmp_path / "taken")
    room.stock.sweep()
    assert room.ready() == ["two0", "two1"]
    assert room.stock.take(unit_of("two"), tmp_path / "taken")
    room.put(unit_of("two"), 0, age=101.0)
    room.stock.sweep()
    assert room.shelves() == []


def test_what_was_ordered_longest_ago_goes_first_where_it_is_too_much(tmp_path: Path) -> None:
    room = Storeroom(tmp_path, each=3, most=4)
    room.put(unit_of("old"), 3, age=50.0)
    room.put(unit_of("new"), 1)
    room.stock.trim()
    assert room.ready() == ["new0", "old0", "old1", "old2"]
    assert room.stock.missing() is None
    room.put(unit_of("newer"), 1)
    room.stock.trim()
    assert room.ready() == ["new0", "newer0"]
    wanted = room.stock.missing()
    assert wanted is not None
    assert wanted[1].packages == ("newer",)


def test_bytes_and_the_disk_bound_it_too(tmp_path: Path) -> None:
    room = Storeroom(tmp_path, most_bytes=5000)
    room.put(unit_of("one"), 2, size=2000)
    room.stock.trim()
    assert room.stock.missing() is not None
    room.put(unit_of("two"), 1, size=2000)
    room.stock.trim()
    assert room.ready() == ["two0"]
    full = Storeroom(tmp_path, free_bytes=1 << 60)
    assert full.stock.missing() is None
    full.stock.trim()
    assert full.ready() == []


def test_a_cut_off_removal_is_finished_and_a_half_removed_directory_is_never_taken(tmp_path: Path) -> None:
    room = Storeroom(tmp_path)
    room.put(unit_of("one"), 1)
    (shelf,) = room.shelves()
    (shelf / "gone-abc").mkdir()
    (shelf / "making-abc").mkdir()
    next(shelf.glob("ready-*/root")).rmdir()
    assert not room.stock.take(unit_of("one"), tmp_path / "taken")
    assert not (tmp_path / "taken").exists()
    room.stock.sweep()
    assert [path.name for path in shelf.iterdir()] == ["recipe.json"]


def test_the_key_follows_commands_and_packages_and_nothing_of_the_instance(tmp_path: Path) -> None:
    room = Storeroom(tmp_path)
    host = cast(Host, SimpleNamespace(packages=room.packages))
    room.install("one", "1.0")

    def key(unit: Unit) -> str:
        return Groundwork.of(unit).key(host)

    before = key(unit_of("one"))
    assert key(unit_of("one")) == before
    assert key(unit_of("two")) != before
    assert key(unit_of("one", "more")) != before
    room.install("one", "1.0.1")
    assert key(unit_of("one")) != before


def test_a_place_that_groundwork_may_not_know_has_no_value() -> None:
    values = Values({"dir": Path("/d")})
    assert values.text("{{dir}}") == "/d"
    with pytest.raises(RenderError):
        values.text("{{log}}")


def test_a_failure_is_not_tried_again_at_once(tmp_path: Path) -> None:
    room = Storeroom(tmp_path)
    room.put(unit_of("one"), 1)
    assert room.stock.missing() is not None
    room.stock.distrust(unit_of("one"))
    assert room.ready() == []
    assert not asyncio.run(room.stock.make_one())
