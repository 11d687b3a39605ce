"""The region's authority and the certificates of its endpoints."""

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from portal.clusters.backends.local.certificates import Authority, expires_at

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_the_authority_is_made_once_and_its_key_kept_private(tmp_path: Path) -> None:
    first = Authority(tmp_path).certificate_pem()
    assert Authority(tmp_path).certificate_pem() == first == (tmp_path / "public" / "ca.pem").read_text()
    assert (tmp_path / "ca" / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "public" / "ca.pem").stat().st_mode & 0o777 == 0o644
    found = x509.load_pem_x509_certificate(first.encode())
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_server_certificate_names_every_way_in(tmp_path: Path, root: Path) -> None:
    assert Authority(tmp_path).ensure(root, "abcdefgh2345", ["db.example"], NOW)
    found = x509.load_pem_x509_certificate((root / "tls" / "cert.pem").read_bytes())
    names = {str(name.value) for name in found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value}
    assert names == {"localhost", "127.0.0.1", "::1", "abcdefgh2345.local", "db.example"}
    authority = x509.load_pem_x509_certificate(Authority(tmp_path).certificate_pem().encode())
    found.verify_directly_issued_by(authority)
    assert (root / "tls" / "key.pem").stat().st_mode & 0o777 == 0o600
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root / "tls" / "cert.pem", root / "tls" / "key.pem")


def test_it_is_renewed_after_two_thirds_of_its_life_and_not_before(tmp_path: Path, root: Path) -> None:
    authority = Authority(tmp_path)
    authority.ensure(root, "h", now=NOW)
    assert not authority.ensure(root, "h", now=NOW + datetime.timedelta(days=59))
    assert authority.ensure(root, "h", now=NOW + datetime.timedelta(days=61))
    assert expires_at(root) == NOW + datetime.timedelta(days=151)


def test_another_name_or_authority_asks_for_a_new_one(tmp_path: Path, root: Path) -> None:
    authority = Authority(tmp_path)
    authority.ensure(root, "h", now=NOW)
    assert authority.ensure(root, "h", ["more.example"], NOW)
    assert Authority(tmp_path / "other").ensure(root, "h", ["more.example"], NOW)


def test_a_link_that_an_engine_laid_is_not_followed(tmp_path: Path, root: Path) -> None:
    authority = Authority(tmp_path)
    before = authority.certificate_pem()
    (root / "tls").symlink_to(tmp_path / "ca")
    authority.ensure(root, "h", now=NOW)
    assert authority.certificate_pem() == before
    assert not (tmp_path / "ca" / "cert.pem").exists()
    assert (root / "tls" / "cert.pem").is_file()
