"""Logs: rotated without losing lines, shown without ANSI and secrets."""

import datetime
from pathlib import Path

from portal.clusters.backends.local import logread
from portal.clusters.backends.local.supervisor import logs


def test_rotation_keeps_what_an_open_writer_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"one\n" * 10)
        assert not logs.rotate(path, largest=1000)
        assert logs.rotate(path, largest=10)
        writer.write(b"two\n")
        assert logs.rotate(path, largest=2)
        writer.write(b"three\n")
    assert path.read_bytes() == b"three\n"
    assert (tmp_path / "engine.log.1").read_bytes() == b"two\n"
    assert (tmp_path / "engine.log.2").read_bytes() == b"one\n" * 10


def test_only_so_many_old_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    for number in range(6):
        path.write_text(f"{number}" * 20)
        logs.rotate(path, largest=10)
    assert sorted(found.name for found in tmp_path.iterdir()) == [f"engine.log{end}" for end in ("", ".1", ".2", ".3")]


def test_newest_lines_come_last_and_clean(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_text(
        "2021-11-25 10:00:00.5 UTC [1] \x1b[31mLOG\x1b[0m: hunter22\n\tmore of it\n2021-11-25T10:00:02Z later\n"
    )
    logs.write_run(tmp_path, "user:1", "done")
    lines = logread.tail(tmp_path, {"a": {"p": "hunter22"}}, None, None, 10)
    assert [line.text for line in lines][:3] == [
        "2021-11-25 10:00:00.5 UTC [1] LOG: ***",
        "\tmore of it",
        "2021-11-25T10:00:02Z later",
    ]
    assert (lines[3].source, lines[3].text) == ("user:1", "done")
    assert lines[1].at == lines[0].at == datetime.datetime(2021, 11, 25, 10, 0, 0, 500000, datetime.UTC)
    since = datetime.datetime(2021, 11, 25, 10, 0, 1, tzinfo=datetime.UTC)
    until = datetime.datetime(2021, 11, 25, 10, 0, 3, tzinfo=datetime.UTC)
    assert [line.text for line in logread.tail(tmp_path, {}, since, until, 10)] == ["2021-11-25T10:00:02Z later"]
    assert len(logread.tail(tmp_path, {}, None, None, 2)) == 2


def test_companions_are_sources_of_their_own_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_text("1:M 25 Nov 2021 10:00:01.123 * Ready to accept connections\n")
    (tmp_path / "companion-tls.log").write_text("2021.11.25 10:00:02 LOG5[ui]: Configuration successful hunter22\n")
    (tmp_path / "companion-replica-1.log.1").write_text("12:S 2021-11-25T10:00:00.5 * earlier\n")
    (tmp_path / "companion-replica-1.log").write_text("12:S 32 Foo 2021 10:00:00 * of the line before\n")
    found = logread.tail(tmp_path, {"a": {"p": "hunter22"}}, None, None, 10)
    assert [(line.source, line.text.rpartition(" ")[2]) for line in found] == [
        ("replica-1", "earlier"),
        ("replica-1", "before"),
        ("engine", "connections"),
        ("tls", "***"),
    ]
    assert found[2].at == datetime.datetime(2021, 11, 25, 10, 0, 1, 123000, datetime.UTC)
    (tmp_path / "companion-tls.log").write_text("its last word is hunter22")
    assert logs.last_line(tmp_path, {"a": {"p": "hunter22"}}, "tls") == "its last word is ***"


def test_a_service_without_logs_has_none(tmp_path: Path) -> None:
    assert logread.tail(tmp_path / "nowhere", {}, None, None, 10) == []
