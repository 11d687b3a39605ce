"""Wishes and secrets of an instance on the disk."""

import os
from pathlib import Path

import pytest

from portal.clusters.backends.local.layout import Home, Wish, handles, sweep_trash, tombstones
from portal.core.drivers import GeneratedSecret


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, "abcdefgh2345")


def wish(fence: int, want: str = "running") -> Wish:
    return Wish("abcdefgh2345", fence, 1, want, {"argv": ["x"]}, {"main": 20000}, ("a.example",))


def test_a_wish_comes_back_as_it_was(home: Home) -> None:
    assert home.wish() is None
    assert home.record(wish(3))
    assert home.wish() == wish(3)


def test_an_older_fence_is_ignored(home: Home) -> None:
    home.record(wish(3))
    assert not home.record(wish(2, "stopped"))
    assert home.record(wish(3, "stopped"))
    assert home.record(wish(4))


def test_the_same_wish_again_changes_nothing(home: Home) -> None:
    home.record(wish(3))
    before = home.stamp()
    assert home.record(wish(3))
    assert home.stamp() == before


def test_a_wish_that_says_nothing_new_wakes_nobody_and_still_bars_older_ones(home: Home) -> None:
    home.record(wish(3))
    before = home.stamp()
    assert home.record(wish(7))
    assert home.stamp() == before
    assert not home.record(wish(6, "stopped"))
    stored = home.wish()
    assert stored
    assert stored.want == "running"
    assert home.record(wish(8, "stopped"))
    assert home.stamp() != before
    assert not home.record(wish(7))


def test_a_deleted_service_never_comes_back(home: Home) -> None:
    home.record(wish(3))
    assert home.record(wish(4, "absent"))
    assert not home.record(wish(9))
    home.bury()
    assert not home.exists()
    assert not home.record(wish(99))
    assert handles(home.data) == []


def test_a_removal_that_was_cut_off_is_finished(home: Home) -> None:
    home.trash.mkdir(parents=True)
    (home.trash / "data").touch()
    sweep_trash(home.data)
    assert not home.trash.exists()


def test_tombstones_are_forgotten_after_a_month(home: Home) -> None:
    home.record(wish(3))
    home.bury()
    sweep_trash(home.data)
    assert home.buried()
    stone = tombstones(home.data) / home.handle
    os.utime(stone, (0, 0))
    sweep_trash(home.data)
    assert not home.buried()


def test_secrets_are_made_once_and_anew_when_the_rotation_rises(home: Home) -> None:
    assert home.ensure_secrets([GeneratedSecret("admin", ("user", "password"))])
    first = home.secrets()["admin"]
    assert not home.ensure_secrets([GeneratedSecret("admin", ("user", "password"))])
    assert home.secrets()["admin"] == first
    assert home.ensure_secrets([GeneratedSecret("admin", ("user", "password"), rotation=1)])
    assert set(first.values()).isdisjoint(home.secrets()["admin"].values())
    assert not home.ensure_secrets([GeneratedSecret("admin", ("user", "password"), rotation=0)])


def test_a_further_key_leaves_the_others(home: Home) -> None:
    home.ensure_secrets([GeneratedSecret("admin", ("a",))])
    before = home.secrets()["admin"]["a"]
    home.ensure_secrets([GeneratedSecret("admin", ("a", "b"), length=40)])
    assert home.secrets()["admin"]["a"] == before
    assert len(home.secrets()["admin"]["b"]) == 40
    assert home.secrets()["admin"]["b"].isalnum()


def test_secrets_are_for_this_account_only(home: Home) -> None:
    home.ensure_secrets([GeneratedSecret("admin")])
    assert home.secrets_file.stat().st_mode & 0o777 == 0o600
    assert home.path.stat().st_mode & 0o777 == 0o700
