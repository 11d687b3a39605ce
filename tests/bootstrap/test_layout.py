"""The data directory: modes, and what is never taken for one."""

import stat
from pathlib import Path

import pytest

from portal.bootstrap.layout import MODES, lay_out
from portal.bootstrap.paths import run_directory


def test_others_may_pass_through_to_the_public_part_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)

    lay_out(data)

    assert {name: stat.S_IMODE((data / name).stat().st_mode) for name in MODES} == MODES


def test_laying_out_again_mends_a_mode_and_keeps_the_content(tmp_path: Path) -> None:
    lay_out(tmp_path / "data")
    (tmp_path / "data" / "keys" / "secret_key").write_text("s")
    (tmp_path / "data" / "keys").chmod(0o755)

    lay_out(tmp_path / "data")

    assert stat.S_IMODE((tmp_path / "data" / "keys").stat().st_mode) == 0o700
    assert (tmp_path / "data" / "keys" / "secret_key").read_text() == "s"


def test_it_refuses_a_directory_that_holds_other_things(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.odt").touch()

    with pytest.raises(SystemExit):
        lay_out(tmp_path)

    assert "holds other things" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.odt"]


def test_a_socket_in_the_run_directory_has_a_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("long" * 50)
    monkeypatch.setenv("TMPDIR", str(deep))

    assert len(str(run_directory(deep) / ".s.PGSQL.5432.lock")) < 60
    assert run_directory(deep) != run_directory(tmp_path)
