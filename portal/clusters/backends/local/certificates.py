"""The region's own issuing authority and the server certificates of its instances.

The authority's key never leaves ``DIR/ca``; its certificate is public, for customers to verify with. An instance sees
its own key only. ECDSA P-256 throughout (RFC 5480), serial numbers random (RFC 5280 4.1.2.2).
"""

import datetime
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portal.clusters.backends.local import files

AUTHORITY_LIFE = datetime.timedelta(days=3650)
SERVER_LIFE = datetime.timedelta(days=90)
_SKEW = datetime.timedelta(days=1)  # clocks of clients, and our own before somebody sets it
_ALWAYS = ("localhost", "127.0.0.1", "::1")


class Authority:
    """Signs the endpoints of one region. Made on first use."""

    def __init__(self, data: Path) -> None:
        self._directory = data / "ca"
        self._public = data / "public" / "ca.pem"
        self._lock = data / "ca" / ".lock"

    def certificate_pem(self) -> str:
        """Return the authority's certificate, which is public."""
        self._ensure()
        return (self._directory / "ca.pem").read_text()

    def ensure(self, root: Path, handle: str, hosts: Iterable[str] = (), now: datetime.datetime | None = None) -> bool:
        """Have ``tls/{cert,key,ca}.pem`` in an instance's ``root``, new ones where due. Return whether any was made."""
        moment = now or datetime.datetime.now(datetime.UTC)
        names = tuple(dict.fromkeys((*_ALWAYS, f"{handle}.local", *hosts)))
        self._ensure()
        if not self._due(root, names, moment):
            return False
        self._issue(root, names, moment)
        return True

    def _due(self, root: Path, names: tuple[str, ...], now: datetime.datetime) -> bool:
        found = _certificate(root)
        if found is None or files.read_below(root, "tls/ca.pem") != self.certificate_pem().encode():
            return True
        renew_at = found.not_valid_before_utc + (found.not_valid_after_utc - found.not_valid_before_utc) * 2 / 3
        return now >= renew_at or _names(found) != set(names)

    def _issue(self, root: Path, names: tuple[str, ...], now: datetime.datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.load_pem_x509_certificate((self._directory / "ca.pem").read_bytes())
        signer = serialization.load_pem_private_key((self._directory / "ca.key").read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - we wrote it ourselves
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[len(_ALWAYS)])])
        certificate = (
            _builder(subject, authority.subject, key.public_key(), now, SERVER_LIFE)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_usage(signing=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        files.remove_below(root, "tls")  # a link in its place; a directory stays
        files.write_below(root, "tls/key.pem", _private_pem(key), 0o600)
        files.write_below(root, "tls/cert.pem", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        files.write_below(root, "tls/ca.pem", self.certificate_pem().encode(), 0o644)  # last: until then it is due

    def _ensure(self) -> None:
        if self._is_published():
            return
        files.private_directory(self._directory)
        with files.locked(self._lock):
            files.remove_unfinished(self._directory)
            if not (self._directory / "ca.pem").is_file():
                self._make()
        self._public.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        files.write(self._public, (self._directory / "ca.pem").read_bytes(), 0o644)

    def _is_published(self) -> bool:
        """Whether there is an authority and what is handed out is its certificate, not that of one before."""
        try:
            return (self._directory / "ca.pem").read_bytes() == self._public.read_bytes()
        except FileNotFoundError:
            return False

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        serial = os.urandom(4).hex()
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Archipel"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Archipel local region {serial}"),
            ]
        )
        certificate = (
            _builder(name, name, key.public_key(), datetime.datetime.now(datetime.UTC), AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signing=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        files.write(self._directory / "ca.key", _private_pem(key), 0o600)
        files.write(self._directory / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def expires_at(root: Path) -> datetime.datetime | None:
    """Return when the certificate of an instance ends; None where there is none."""
    found = _certificate(root)
    return found.not_valid_after_utc if found else None


def _certificate(root: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(files.read_below(root, "tls/cert.pem") or b"")
    except ValueError:
        return None


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    life: datetime.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signing,
        crl_sign=signing,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
