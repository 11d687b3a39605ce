"""The archive's own promises: what was cut off, changed or made to get out is known before anything is unpacked."""

import io
import socket
import tarfile
from pathlib import Path

import pytest

from portal.instance.care.archive import FORMAT, Damaged, Manifest, Reader, Service, Writer

SECRET = b"canary" * 1000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "file").write_bytes(SECRET)
    (root / "deep" / "file").chmod(0o600)
    (root / "elsewhere").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    return root


def written(file: Path, tree: Path) -> Path:
    with file.open("wb") as stream:
        writer = Writer(stream)
        writer.add_bytes("keys/one", SECRET)
        writer.add_tree("trees/one.tar.gz", [(path, path.name) for path in sorted(tree.iterdir())])
        writer.finish(Manifest(FORMAT, "1", "now", "17", ["portal.x.0001"], [Service("abc", "shop", "copy")], []))
        writer.close()
    return file


def test_what_was_put_in_comes_out(tmp_path: Path, tree: Path) -> None:
    archive = Reader(written(tmp_path / "file", tree))
    archive.verify()
    assert archive.content("keys/one") == SECRET
    assert archive.names("trees/") == ["trees/one.tar.gz"]
    assert archive.manifest.services == [Service("abc", "shop", "copy")]

    target = tmp_path / "target"
    target.mkdir()
    archive.unpack("trees/one.tar.gz", target)
    assert (target / "deep" / "file").read_bytes() == SECRET
    assert (target / "deep" / "file").stat().st_mode & 0o777 == 0o600
    assert (target / "elsewhere").readlink() == Path("/etc/passwd")
    assert not (target / "socket").exists()


def test_a_file_that_was_cut_off_anywhere_is_refused(tmp_path: Path, tree: Path) -> None:
    whole = written(tmp_path / "file", tree).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            Reader(cut).verify()


def test_a_byte_that_was_changed_anywhere_is_found(tmp_path: Path, tree: Path) -> None:
    whole = written(tmp_path / "file", tree).read_bytes()
    where = {whole.index(SECRET) + 5, whole.index(b"trees/one.tar.gz") + 60, whole.index(b'"sha256"') + 13}
    for place in where:
        broken = tmp_path / "broken"
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Damaged):
            Reader(broken).verify()


def test_any_other_file_is_no_backup(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("hello")
    with pytest.raises(Damaged, match="no backup of a portal"):
        Reader(other)


@pytest.mark.parametrize("name", ["../out", "/out", "link/out"])
def test_nothing_gets_out_of_the_directory(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        tar.addfile(link)
        entry = tarfile.TarInfo(name)
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"bad"))
    with (tmp_path / "file").open("wb") as stream:
        writer = Writer(stream)
        writer.add_bytes("trees/bad.tar.gz", held.getvalue())
        writer.finish(Manifest(FORMAT, "1", "now", "17", [], [], []))
        writer.close()
    target = tmp_path / "in" / "target"
    target.mkdir(parents=True)

    with pytest.raises(Damaged, match="outside"):
        Reader(tmp_path / "file").unpack("trees/bad.tar.gz", target)

    assert [path.name for path in target.iterdir()] == ["link"]
    assert not list(outside.iterdir())
    assert not (tmp_path / "in" / "out").exists()
