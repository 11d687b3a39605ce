"""A worker that slept through a deletion: what it writes when it wakes brings nothing back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from portal.clusters.backends.local.layout import Home, Wish, handles
from portal.core.drivers import GeneratedSecret

WRITES: dict[str, Callable[[Home], bool]] = {
    "wish": lambda home: home.record(Wish(home.handle, 2, 2, "running")),
    "secret": lambda home: home.ensure_secrets([GeneratedSecret("late")]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_a_burial_overtakes_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Home], bool]
) -> None:
    home = Home(tmp_path, "overtaken222")
    assert home.record(Wish(home.handle, 1, 1, "running"))
    buried, looks = home.buried, [False]
    monkeypatch.setattr(home, "buried", lambda: looks.pop() if looks else buried())
    looks[:] = [False] if write is WRITES["wish"] else []  # what was seen before it fell asleep
    home.bury()
    assert write(home) is False
    assert handles(tmp_path) == []
    assert not home.exists()


def test_a_write_in_time_is_taken(tmp_path: Path) -> None:
    home = Home(tmp_path, "intime222222")
    assert all(write(home) for write in WRITES.values())
    assert home.secrets().keys() == {"late"}
