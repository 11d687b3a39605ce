"""What a kill between two files leaves is seen for what it is: nothing is believed to be done, nothing half stays."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from portal.clusters.backends.local import certificates, files
from portal.clusters.backends.local.certificates import Authority
from portal.clusters.backends.local.layout import Home, Wish

HANDLE = "halfwritten2"


class Cut(BaseException):
    """Stands for a kill: nothing is tidied up after it."""


def cut_after(monkeypatch: pytest.MonkeyPatch, function: str, place: str) -> None:
    """Have the writing function end all right after it has written that place."""
    effect = getattr(files, function)

    def write(*args: Any, **options: Any) -> None:
        effect(*args, **options)
        if any(str(arg).endswith(place) for arg in args[:2]):
            raise Cut

    monkeypatch.setattr(certificates.files, function, write)


@pytest.mark.parametrize("place", ["tls/key.pem", "tls/cert.pem", "tls/ca.pem"])
def test_a_certificate_of_a_lost_authority_is_made_anew_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    root = files.private_directory(tmp_path / "root")
    Authority(tmp_path).ensure(root, HANDLE)
    files.remove_tree(tmp_path / "ca")
    with monkeypatch.context() as patched:
        cut_after(patched, "write_below", place)
        with pytest.raises(Cut):
            Authority(tmp_path).ensure(root, HANDLE)
    Authority(tmp_path).ensure(root, HANDLE)
    key = serialization.load_pem_private_key((root / "tls/key.pem").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate((root / "tls/cert.pem").read_bytes())
    public = (tmp_path / "public/ca.pem").read_bytes()
    assert certificate.public_key() == key.public_key()
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(public))
    assert (root / "tls/ca.pem").read_bytes() == public


@pytest.mark.parametrize("place", ["ca.key", "ca/ca.pem"])
def test_the_authority_that_is_handed_out_is_the_one_that_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    Authority(tmp_path).certificate_pem()
    files.remove_tree(tmp_path / "ca")
    with monkeypatch.context() as patched:
        cut_after(patched, "write", place)
        with pytest.raises(Cut):
            Authority(tmp_path).certificate_pem()
    assert Authority(tmp_path).certificate_pem() == (tmp_path / "public/ca.pem").read_text()


def test_files_that_were_cut_off_are_removed(tmp_path: Path) -> None:
    home = Home(tmp_path, HANDLE)
    assert home.record(Wish(HANDLE, 1, 1, "running"))
    kept = sorted(path.name for path in home.path.iterdir())
    (home.path / ".secrets.json.ab12cd_3").write_text("half")
    home.tidy()
    assert sorted(path.name for path in home.path.iterdir()) == kept
    files.private_directory(home.root / "etc")
    (home.root / "etc" / ".engine.conf.new").write_text("half")
    files.write_below(home.root, "etc/engine.conf", b"whole", 0o600)
    assert [(path.name, path.read_text()) for path in (home.root / "etc").iterdir()] == [("engine.conf", "whole")]
