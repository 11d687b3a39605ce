"""Reads a kubeconfig and keeps of it what the portal uses: an address, an authority, a token or a client certificate.

All of it inline. A kubeconfig may also name programs to run, files to read and proxies to go through: here the portal
would run, read and use them for whoever wrote it, so each is refused by name (DESIGN 12).
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

LONGEST = 256 * 1024  # characters
_HARMLESS = {"extensions", "preferences", "disable-compression"}
_REFUSED = {
    "certificate-authority": "give the certificate itself, as certificate-authority-data",
    "client-certificate": "give the certificate itself, as client-certificate-data",
    "client-key": "give the key itself, as client-key-data",
    "tokenFile": "give the token itself, as token",
    "exec": "the portal runs no programs; give a token or a client certificate",
    "auth-provider": "the portal runs no plugins; give a token or a client certificate",
    "proxy-url": "the portal goes through no proxies",
    "insecure-skip-tls-verify": "the portal talks to no server that it can't verify; give certificate-authority-data",
    "username": "API servers take no passwords any more; give a token or a client certificate",
    "password": "API servers take no passwords any more; give a token or a client certificate",
    "as": "the portal is one account; give a token or a client certificate of that account",
}


class Unfit(ValueError):
    """The kubeconfig can't be used; the message names the field and the remedy, never a value."""


@dataclass(frozen=True, slots=True)
class Access:
    """How an API server is reached. ``authority`` empty: the authorities that this machine trusts."""

    server: str
    authority: str = ""  # PEM
    server_name: str = ""  # that its certificate is for, where that is not the address
    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)  # PEM
    key: str = field(default="", repr=False)  # PEM


def read(text: str) -> Access:
    """Return the access of the current context. Raises Unfit."""
    whole = _parsed(text)
    context = _named(whole, "contexts", "context", _current(whole))
    cluster = _named(whole, "clusters", "cluster", _text(context, "cluster", "context"))
    user = _named(whole, "users", "user", _text(context, "user", "context"))
    _only(cluster, "cluster", {"server", "certificate-authority-data", "tls-server-name"})
    _only(user, "user", {"token", "client-certificate-data", "client-key-data"})
    access = Access(
        server=_server(_text(cluster, "server", "cluster")),
        authority=_certificate(cluster, "certificate-authority-data", "cluster"),
        server_name=_text(cluster, "tls-server-name", "cluster", needed=False),
        token=_text(user, "token", "user", needed=False).strip(),
        certificate=_certificate(user, "client-certificate-data", "user"),
        key=_key(user),
    )
    _one_way_in(access)
    return access


def written(access: Access) -> str:
    """Return a kubeconfig of this access and nothing else; JSON, which is YAML."""
    cluster = {
        "server": access.server,
        "certificate-authority-data": _encoded(access.authority),
        "tls-server-name": access.server_name,
    }
    user = {
        "token": access.token,
        "client-certificate-data": _encoded(access.certificate),
        "client-key-data": _encoded(access.key),
    }
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {key: value for key, value in cluster.items() if value}}],
        "users": [{"name": "it", "user": {key: value for key, value in user.items() if value}}],
    }
    return json.dumps(whole)


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise Unfit("This is longer than any kubeconfig.")
    try:
        whole = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unfit("This is not YAML.") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("clusters"), list):
        raise Unfit("This is not a kubeconfig: it has no clusters.")
    return whole


def _current(whole: dict[str, Any]) -> str:
    """Return the current context's name; where none is said, that of the only one."""
    if current := whole.get("current-context"):
        return str(current)
    found = whole.get("contexts") or []
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict):
        return str(found[0].get("name"))
    raise Unfit("current-context: say which of the contexts is meant.")


def _named(whole: dict[str, Any], several: str, one: str, name: str) -> dict[str, Any]:
    rows = whole.get(several)
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and str(row.get("name")) == name and isinstance(row.get(one), dict):
            found: dict[str, Any] = row[one]
            return found
    raise Unfit(f"{several}: there is none with the name that the current context says.")


def _only(part: dict[str, Any], where: str, known: set[str]) -> None:
    for name, value in part.items():
        if name in known or name in _HARMLESS or (name in _REFUSED and value in (None, "", False)):
            continue
        remedy = _REFUSED.get(name, "the portal does not know this field; leave it out")
        raise Unfit(f"{where}.{name}: {remedy}.")


def _text(part: dict[str, Any], name: str, where: str, *, needed: bool = True) -> str:
    value = part.get(name)
    if value is None or value == "":
        if needed:
            raise Unfit(f"{where}.{name}: this is needed.")
        return ""
    if not isinstance(value, str) or "\n" in value.strip() or "\r" in value.strip():
        raise Unfit(f"{where}.{name}: write one line of text.")
    return value


def _server(address: str) -> str:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise Unfit("cluster.server: this is not an address.") from error
    if parts.scheme != "https" or not parts.hostname:
        raise Unfit("cluster.server: write an address that begins with https://.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Unfit("cluster.server: write an address without user, password, query and fragment.")
    return address.rstrip("/")


def _decoded(part: dict[str, Any], name: str, where: str) -> bytes:
    value = part.get(name)
    if value in (None, ""):
        return b""
    try:
        return base64.b64decode("".join(str(value).split()), validate=True)
    except binascii.Error as error:
        raise Unfit(f"{where}.{name}: this is not Base64.") from error


def _certificate(part: dict[str, Any], name: str, where: str) -> str:
    data = _decoded(part, name, where)
    try:
        return data.decode("ascii") if data and x509.load_pem_x509_certificates(data) else ""
    except ValueError as error:
        raise Unfit(f"{where}.{name}: this is no certificate in PEM form.") from error


def _key(user: dict[str, Any]) -> str:
    data = _decoded(user, "client-key-data", "user")
    try:
        return data.decode("ascii") if data and load_pem_private_key(data, password=None) else ""
    except (ValueError, TypeError) as error:
        raise Unfit("user.client-key-data: this is no key in PEM form without a password.") from error


def _one_way_in(access: Access) -> None:
    if bool(access.certificate) != bool(access.key):
        raise Unfit("user: client-certificate-data and client-key-data go together.")
    if not access.token and not access.certificate:
        raise Unfit("user: give a token, or client-certificate-data with client-key-data.")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("ascii")).decode("ascii")
