"""Log files stay small while their writers keep them open."""

from pathlib import Path

from portal.instance import logs


def test_a_large_log_is_cut_and_three_older_ones_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("a") as writer:
        for number in range(5):
            writer.write(f"{number}" * 100)
            writer.flush()
            logs.rotate(tmp_path, largest=50)
        writer.write("after")

    assert log.read_text() == "after"
    assert [(tmp_path / f"web.log.{n}").read_text()[0] for n in (1, 2, 3)] == ["4", "3", "2"]
    assert not (tmp_path / "web.log.4").exists()


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("short")

    logs.rotate(tmp_path, largest=50)

    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]


def test_a_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert logs.tail(tmp_path / "web.log") == ""
