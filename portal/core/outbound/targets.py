"""Reads a tenant's URL, looks its name up once, and says whether the portal may go there, and to which addresses."""

import ipaddress
import queue
import re
import socket
import threading
import unicodedata
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from portal.core.errors import FieldError, PermanentError, invalid
from portal.core.outbound.addresses import Address, is_allowed, is_fit

LONGEST = 2000  # characters of a URL
LOOKUP_SECONDS = 5.0
MOST_ADDRESSES = 8
PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")  # some resolvers take it for an IPv4 address
_AUTHORITY = re.compile(r"[a-zA-Z]+://([^/?#]*)")


class Refused(PermanentError):
    """The portal does not go there. ``code`` is one word for machines, the message a sentence with the remedy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in its one form, taken apart, with the addresses that were looked at: nothing else is connected to."""

    url: str
    scheme: str
    host: str  # a name, or an address without brackets
    port: int
    path: str  # with the query
    addresses: tuple[str, ...]


def check(url: str, *, pointer: str = "/url") -> Target:
    """Return where a URL leads, as it may be kept. Raises Problem ``invalid_arguments`` that names the field."""
    try:
        return resolve(url)
    except Refused as refusal:
        raise invalid(FieldError(pointer, refusal.code, str(refusal))) from refusal


def resolve(url: str) -> Target:
    """Take a URL apart and look its name up, once. Raises Refused, also where the name can't be looked up."""
    parts = _read(url)
    scheme, host = parts.scheme or "", (parts.host or "").strip("[]")
    port = parts.port or PORTS.get(scheme, 0)
    found = _addresses(host, port)
    _judge(scheme, port, found)
    path = parts.request_uri
    shown = f"[{host}]" if ":" in host else host
    port_shown = "" if port == PORTS.get(scheme) else f":{port}"
    return Target(f"{scheme}://{shown}{port_shown}{path}", scheme, host, port, path, tuple(map(str, found)))


def _read(url: str) -> Url:
    """Return the parts of a URL that is written plainly. Raises Refused."""
    if len(url) > LONGEST or any(_is_odd(character) for character in url):
        raise Refused("url", _("Write an address of at most 2,000 characters without blanks and backslashes."))
    authority = _AUTHORITY.match(url)
    if authority is None:
        raise Refused("url", _("Write a whole address that begins with https://."))
    if "@" in authority[1]:
        raise Refused("userinfo", _("Leave out user name and password; they would stand in logs."))
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise Refused("url", _("This is no address that can be read.")) from error
    host = parts.host or ""
    if not (host.startswith("[") and "%" not in host) and not _is_plain(host):
        raise Refused("host", _("Give the host as a full name, such as hooks.example.org."))
    return parts


def _is_odd(character: str) -> bool:
    return character in '\\"<>^`{|}' or unicodedata.category(character)[0] in "CZ"


def _is_plain(host: str) -> bool:
    """Whether a host is a DNS name or an IPv4 address as everybody writes it: no 127.1, 0x7f000001 or 2130706433."""
    if _ENDS_IN_NUMBER.fullmatch(host):
        return _literal(host) is not None
    return bool(_NAME.fullmatch(host)) and ("." in host or bool(settings.OUTBOUND_NETWORKS))


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _addresses(host: str, port: int) -> list[Address]:
    """Return all addresses of a host. Raises Refused where there is none or the look-up fails."""
    if (literal := _literal(host)) is not None:
        return [literal]
    texts = _looked_up(host, port)
    found = [address for text in texts if (address := _literal(text)) is not None]
    if not found or len(found) != len(texts):
        raise Refused("unresolvable", _("The name %(host)s could not be looked up.") % {"host": host})
    return found[:MOST_ADDRESSES]


def _looked_up(host: str, port: int) -> list[str]:
    """Ask the resolver in a thread of its own, since it knows no time limit; a failure is an empty list."""
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            answers.put([])
        else:
            answers.put(list(dict.fromkeys(str(row[4][0]) for row in rows)))

    threading.Thread(target=ask, name="lookup", daemon=True).start()
    try:
        return answers.get(timeout=LOOKUP_SECONDS)
    except queue.Empty:
        return []


def _judge(scheme: str, port: int, addresses: list[Address]) -> None:
    """Refuse what is not https to a public address. One unfit address among several refuses all of them."""
    allowed = all(is_allowed(address) for address in addresses)
    if scheme != "https" and not (scheme == "http" and settings.OUTBOUND_HTTP and allowed):
        raise Refused("scheme", _("The address has to begin with https://."))
    if not all(is_fit(address) for address in addresses):
        words = _("This address leads into a private or reserved network. Give one that the Internet can reach.")
        raise Refused("address", words)
    if port not in settings.OUTBOUND_PORTS and not allowed:
        known = ", ".join(map(str, settings.OUTBOUND_PORTS))
        raise Refused("port", _("Only these ports can be reached: %(ports)s.") % {"ports": known})
