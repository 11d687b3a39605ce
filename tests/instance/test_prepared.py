"""What a later start need not do again."""

from pathlib import Path

import pytest

from portal.instance.prepared import Prepared


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    (tmp_path / "portal" / "things" / "migrations").mkdir(parents=True)
    (tmp_path / "portal" / "things" / "migrations" / "0001_initial.py").write_text("1")
    (tmp_path / "static" / "css").mkdir(parents=True)
    (tmp_path / "static" / "css" / "base.css").write_text("a {}")
    (tmp_path / "requirements.txt").write_text("django==5.2\n")
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    (tmp_path / "data" / "static").mkdir()
    return Prepared(tmp_path, tmp_path / "data")


def test_everything_is_lacking_at_first_and_nothing_once_noted(prepared: Prepared) -> None:
    assert set(prepared.lacking()) == {"migrate", "static"}

    prepared.note(prepared.lacking())

    assert prepared.lacking() == {}


@pytest.mark.parametrize(
    ("file", "lacking"),
    [
        ("portal/things/migrations/0002_more.py", {"migrate"}),
        ("static/css/more.css", {"static"}),
        ("requirements.txt", {"migrate", "static"}),
    ],
)
def test_a_changed_file_says_what_is_to_be_done(prepared: Prepared, file: str, lacking: set[str]) -> None:
    prepared.note(prepared.lacking())

    (prepared.root / file).write_text("changed")

    assert set(prepared.lacking()) == lacking


def test_removed_static_files_are_collected_again(prepared: Prepared) -> None:
    prepared.note(prepared.lacking())
    prepared.static.rmdir()

    assert set(prepared.lacking()) == {"static"}
