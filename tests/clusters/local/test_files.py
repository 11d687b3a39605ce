"""Writing and reading where an engine could have laid a link in the way."""

import os
from pathlib import Path

import pytest

from portal.clusters.backends.local import files


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    files.write(tmp_path / "f", b"one", 0o644)
    files.write(tmp_path / "f", b"two", 0o600)
    assert (tmp_path / "f").read_bytes() == b"two"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("content", ["", "{", "[1]", "\0"])
def test_a_broken_file_reads_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "f").write_text(content)
    assert files.read_json(tmp_path / "f") is None


def test_no_link_is_followed_below(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("keep")
    (root / "dir").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        files.write_below(root, "dir/secret", b"broken", 0o600)
    assert files.read_below(root, "dir/secret") is None
    assert files.read_below(root, "file") is None
    files.write_below(root, "file", b"mine", 0o600)
    files.remove_below(root, "dir")
    assert (outside / "secret").read_text() == "keep"
    assert files.read_below(root, "file") == b"mine"
    assert not (root / "dir").is_symlink()


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", ""])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        files.write_below(tmp_path, path, b"", 0o600)
    assert files.read_below(tmp_path, path) is None


def test_a_fifo_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    assert files.read_below(tmp_path, "f") is None


def test_a_tree_goes_whatever_its_modes(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "f").touch()
    deep.chmod(0)
    files.remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()
