"""What a changed unit asks of a running engine."""

import dataclasses

import pytest

from portal.clusters.backends.local.supervisor import places
from portal.clusters.backends.local.supervisor.engine import Identity
from portal.core.drivers import Probe, Unit

UNIT = Unit(packages=(), argv=("x",), probe=Probe(("y",)), ports=(), reload_signal="SIGHUP", restarts=2)
FILES = {"hard": ["1", "restart"], "soft": ["1", "reload"], "idle": ["1", "none"]}
IDENTITY = Identity(digest="d", restarts=2, files=FILES)


def change(unit: Unit = UNIT, digest: str = "d", **now: list[str] | None) -> str:
    files = {path: value for path, value in {**FILES, **now}.items() if value is not None}
    return places.change(IDENTITY, unit, unit.restarts, files, digest)


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        ({}, ""),
        ({"idle": ["2", "none"]}, "none"),
        ({"soft": ["2", "reload"], "idle": ["2", "none"]}, "reload"),
        ({"soft": ["2", "reload"], "hard": ["2", "restart"]}, "restart"),
        ({"more": ["1", "reload"]}, "reload"),
        ({"hard": None}, "restart"),
        ({"soft": ["1", "restart"]}, ""),
    ],
)
def test_the_strongest_wish_of_the_changed_files_counts(now: dict[str, list[str] | None], asked: str) -> None:
    assert change(**now) == asked


def test_a_changed_command_or_a_risen_restart_count_restarts() -> None:
    assert change(digest="e") == "restart"
    assert change(dataclasses.replace(UNIT, restarts=3)) == "restart"


def test_a_reload_without_a_signal_is_a_restart() -> None:
    assert change(dataclasses.replace(UNIT, reload_signal=""), soft=["2", "reload"]) == "restart"
