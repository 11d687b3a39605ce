"""Goes to a checked address by urllib3: no redirects, no proxies, no retries, capped in time and size."""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException

import certifi
from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as UrllibTimeout

from portal.core.errors import TemporaryError
from portal.core.outbound.targets import PORTS, Target, resolve

AGENT = "Archipel/1"


class Unanswered(TemporaryError):
    """Nobody answered in time, or not in HTTP, or with a certificate that is not theirs."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How long and how much: seconds until connected, seconds in all, bytes of the answer that are read."""

    connect: float = 5.0
    total: float = 15.0
    size: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of a longer body the beginning. ``seconds`` is how long it took in all."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool
    seconds: float


class Clock:
    """Cuts a connection when its time is up, whoever drips bytes into it; socket timeouts begin anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self.began, self.end, self.is_over = time.monotonic(), time.monotonic() + seconds, False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> "Clock":
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        for handle in self._sockets:
            handle.close()

    def over(self, connected: socket.socket) -> socket.socket:
        """Watch a socket by a handle of its own, which stays when TLS takes the socket over."""
        self._sockets.append(connected.dup())
        return connected

    def _cut(self) -> None:
        self.is_over = True
        for handle in self._sockets:
            try:
                handle.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by the other side


class Plain(HTTPConnection):
    """A connection that a clock watches."""

    clock: Clock

    def _new_conn(self) -> socket.socket:
        return self.clock.over(super()._new_conn())


class Secure(HTTPSConnection):
    """The same with TLS; connected to an address, while name indication and certificate are about the name."""

    clock: Clock

    def _new_conn(self) -> socket.socket:
        return self.clock.over(super()._new_conn())


def request(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", caps: Caps | None = None
) -> Answer:
    """Ask a tenant's URL and return what came, a redirect included. Raises Refused or Unanswered.

    Callers give headers and body of their own making; the URL is checked anew, and only addresses that were checked in
    this call are connected to, one after the other until one takes the connection.
    """
    target = resolve(url)
    limits = caps or Caps()
    with Clock(limits.total) as clock:
        for last, address in [(address == target.addresses[-1], address) for address in target.addresses]:
            try:
                return _asked(method, target, address, headers or {}, body, limits, clock)
            except (NewConnectionError, ConnectTimeoutError) as error:
                if last or clock.is_over:
                    raise Unanswered(_("No connection to %(host)s.") % {"host": target.host}) from error
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                raise _unanswered(target, error, clock) from error
    raise Unanswered(_("No connection to %(host)s.") % {"host": target.host})


def _asked(
    method: str, target: Target, address: str, headers: Mapping[str, str], body: bytes, caps: Caps, clock: Clock
) -> Answer:
    """Ask at one address."""
    connection = _connection(target, address, caps, clock)
    try:
        connection.connect()
        left = max(0.1, clock.end - time.monotonic())
        if connection.sock is not None:
            connection.sock.settimeout(left)
        connection.timeout = left
        own = {"Host": _host_header(target), "User-Agent": AGENT, "Accept-Encoding": "identity", "Connection": "close"}
        connection.request(
            method,
            target.path,
            body=body or None,
            headers={**headers, **own},
            preload_content=False,
            decode_content=False,
        )
        response = connection.getresponse()
        content = response.read(caps.size + 1, decode_content=False)
        seconds = time.monotonic() - clock.began
        if clock.is_over:
            raise Unanswered(_too_slow(target))
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, found, content[: caps.size], len(content) <= caps.size, seconds)
    finally:
        connection.close()


def _connection(target: Target, address: str, caps: Caps, clock: Clock) -> Plain | Secure:
    wait = min(caps.connect, caps.total)
    if target.scheme == "http":
        plain = Plain(address, target.port, timeout=wait)
        plain.clock = clock
        return plain
    secure = Secure(
        address, target.port, timeout=wait, server_hostname=target.host, ssl_context=_context(str(settings.OUTBOUND_CA))
    )
    secure.clock = clock
    return secure


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == PORTS[target.scheme] else f"{host}:{target.port}"


def _unanswered(target: Target, error: Exception, clock: Clock) -> Unanswered:
    """Say in a sentence for customers what went wrong; it names nothing but the host that they gave."""
    if clock.is_over or isinstance(error, UrllibTimeout | TimeoutError):
        return Unanswered(_too_slow(target))
    if isinstance(error, ssl.SSLError):
        return Unanswered(_("%(host)s shows no certificate that holds for this name.") % {"host": target.host})
    return Unanswered(_("%(host)s did not answer in HTTP.") % {"host": target.host})


def _too_slow(target: Target) -> str:
    return _("%(host)s did not answer in time.") % {"host": target.host}


@lru_cache(maxsize=2)
def _context(extra: str) -> ssl.SSLContext:
    """Return what certificates are checked by: the web's authorities, and one that an operator adds."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if extra:
        context.load_verify_locations(extra)
    return context
