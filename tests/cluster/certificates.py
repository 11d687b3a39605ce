"""Throw-away certificates of a control plane: a CA, the server's, and one for each client by its name and groups."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_FOR = datetime.timedelta(days=365)
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> None:
        (folder / f"{name}.crt").write_bytes(self.certificate)
        key = folder / f"{name}.key"
        key.touch(mode=0o600)
        key.write_bytes(self.key)


def read(folder: Path, name: str) -> Pair:
    return Pair((folder / f"{name}.crt").read_bytes(), (folder / f"{name}.key").read_bytes())


class Authority:
    """Signs what one control plane trusts. A directory that has one already goes on with it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "ca.key").exists():
            _self_signed("control plane of the tests").write(folder, "ca")
        self.folder, self.pair = folder, read(folder, "ca")

    def server(self) -> None:
        """Write the API server's pair, and the key that service accounts' tokens are signed with."""
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in SERVER_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in SERVER_ADDRESSES]
        pair = self._signed(_name("kube-apiserver"), ExtendedKeyUsageOID.SERVER_AUTH, names)
        pair.write(self.folder, "server")
        if not (self.folder / "accounts.key").exists():
            _self_signed("service accounts").write(self.folder, "accounts")

    def client(self, user: str, groups: Sequence[str]) -> Pair:
        """Return a pair that the API server takes for this user in these groups."""
        return self._signed(_name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def _signed(self, subject: x509.Name, usage: x509.ObjectIdentifier, names: Sequence[x509.GeneralName]) -> Pair:
        authority = x509.load_pem_x509_certificate(self.pair.certificate)
        signer = serialization.load_pem_private_key(self.pair.key, None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        draft = _draft(subject, authority.subject, key.public_key())
        draft = draft.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        draft = draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if names:
            draft = draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return _pair(draft.sign(signer, hashes.SHA256()), key)


def _self_signed(name: str) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    draft = _draft(_name(name), _name(name), key.public_key())
    draft = draft.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _pair(draft.sign(key, hashes.SHA256()), key)


def _name(user: str, groups: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    draft = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    draft = draft.serial_number(x509.random_serial_number())
    return draft.not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + VALID_FOR)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return Pair(certificate.public_bytes(pem), key.private_bytes(pem, form, plain))
