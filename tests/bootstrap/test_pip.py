"""Where pip comes from on a machine whose Python brought none."""

import hashlib
from pathlib import Path

import pytest

from portal.bootstrap import pip


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def index(place: Path, content: bytes) -> str:
    """Make an index on disk with one wheel of pip."""
    (place / "pip").mkdir(parents=True)
    (place / "files").mkdir()
    (place / "files" / pip.WHEEL).write_bytes(content)
    (place / "pip" / "index.html").write_text(f'<a href="../files/{pip.WHEEL}#sha256=0">{pip.WHEEL}</a>')
    return (place / "pip" / "index.html").as_uri()


def test_the_environment_names_the_index_before_any_file(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / ".config/pip").mkdir(parents=True)
    (bare / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")

    assert pip.index_url() == "https://mirror.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert pip.index_url() == "https://other.example/simple"


def test_a_broken_configuration_file_is_passed_over(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "broken.conf").write_text("index-url without a section")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(bare / "broken.conf"))

    assert pip.index_url() is None
    assert pip._fetched(bare) is None


def test_a_fetched_wheel_is_believed_by_its_checksum_only(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = index(bare / "index", b"a wheel")
    monkeypatch.setattr(pip, "_page", lambda: page)

    assert pip._fetched(bare) is None
    assert "checksum" in capsys.readouterr().err

    monkeypatch.setattr(pip, "SHA256", hashlib.sha256(b"a wheel").hexdigest())
    assert Path(str(pip._fetched(bare))).read_bytes() == b"a wheel"


def test_an_address_of_another_kind_is_not_opened() -> None:
    with pytest.raises(ValueError, match="not an address"):
        pip._get("ftp://mirror.example/simple/pip/")
