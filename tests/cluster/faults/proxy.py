"""A TLS proxy in front of an API server that can be unkind: refusals by seed, answers lost, watches cut, or silence."""

import http.client
import json
import random
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.cluster.control_plane import ControlPlane

CHUNK = 64 * 1024
_REASONS = {429: "TooManyRequests", 409: "Conflict", 410: "Expired", 500: "InternalError"}


class Faults:
    """Which fault comes next, by seed: so many of a hundred requests, or watches, meet one. ``none()``: none does."""

    def __init__(self, seed: int, percent: int, *, watches: int = 0) -> None:
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._percent = {False: percent, True: watches}
        self.met: Counter[str] = Counter()

    @classmethod
    def none(cls) -> "Faults":
        return cls(0, 0)

    def next(self, method: str, is_watch: bool) -> str:
        """Return a status, ``lost`` (done, and the answer never comes), ``cut`` (of a watch), or nothing."""
        kinds = ["429", "500", "lost"] + (["410"] if method == "GET" else ["409"]) + (["cut"] * 4 if is_watch else [])
        with self._lock:
            found = self._random.choice(kinds) if self._random.randrange(100) < self._percent[is_watch] else ""
            self.met[found or "none"] += 1
        return found

    def events(self) -> int:
        """Return after how many pieces a watch is cut."""
        with self._lock:
            return self._random.randint(0, 3)


class Proxy(ThreadingHTTPServer):
    """Answers as the API server does, with its certificate; asks it as ``admin``. ``port`` is settled at once."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, control_plane: ControlPlane, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        folder = control_plane.authority.folder
        self.faults, self.upstream = faults, control_plane.port
        self.trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self.trust.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        self._shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._shown.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._silent, self._over = threading.Event(), threading.Event()
        self.asking: set[http.client.HTTPSConnection] = set()  # connections to the API server that are open

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def fall_silent(self) -> None:
        """Take whatever comes and answer nothing any more, as a host does that hangs."""
        self._silent.set()

    def die(self) -> None:
        """Break off what is open and refuse what comes."""
        self._silent.set()
        self._over.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # for all processes that have it

    def end(self) -> None:
        self._over.set()
        for upstream in list(self.asking):  # watches: the API server would wait for them when it is to end
            with suppress(OSError):
                if upstream.sock is not None:
                    upstream.sock.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()

    def hold(self) -> bool:
        """Wait for ever where it has fallen silent; return whether it was so."""
        return self._silent.is_set() and self._over.wait()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Greet in the connection's own thread: one that says nothing keeps nobody waiting."""
        if self.hold():
            return
        with suppress(OSError), self._shown.wrap_socket(request, server_side=True) as greeted:
            super().finish_request(greeted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"
    _kept: ClassVar[tuple[str, ...]] = ("Accept", "Content-Type", "User-Agent")

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        if self.server.hold():
            self.close_connection = True
            return
        is_watch = "watch=1" in self.path
        fault = self.server.faults.next(self.command, is_watch)
        if fault.isdecimal():
            self._refuse(int(fault))
            return
        upstream = http.client.HTTPSConnection(
            "127.0.0.1", self.server.upstream, context=self.server.trust, timeout=330
        )
        self.server.asking.add(upstream)
        try:
            upstream.request(self.command, self.path, body, self._asked())
            self._answer(upstream.getresponse(), fault)
        finally:
            upstream.close()
            self.server.asking.discard(upstream)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - names of the library's

    def _asked(self) -> dict[str, str]:
        return {name: self.headers[name] for name in self._kept if name in self.headers}

    def _refuse(self, code: int) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": _REASONS[code]}
        data = json.dumps({**status, "message": f"played: {_REASONS[code]}"}).encode()
        self.send_response(code)
        if code == 429:
            self.send_header("Retry-After", "1")
        self._send(data)

    def _send(self, data: bytes) -> None:
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, answer: http.client.HTTPResponse, fault: str) -> None:
        with answer:
            if answer.headers.get("Transfer-Encoding") == "chunked":
                self._stream(answer, self.server.faults.events() if fault == "cut" else -1, fault)
                return
            data = answer.read()
            if fault == "lost":
                self.close_connection = True
                return
            self.send_response(answer.status)
            self._send(data)

    def _stream(self, answer: http.client.HTTPResponse, pieces: int, fault: str) -> None:
        """Pass pieces on as they come; ``pieces`` from the beginning, and half of the next one, if it is to be cut."""
        if fault == "lost":
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(CHUNK):
            if pieces == 0 or self.server._silent.is_set():
                self.wfile.write(b"%x\r\n%s" % (len(piece), piece[: len(piece) // 2]))
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            pieces -= 1
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_args: object) -> None:
        """The API server's audit log says more."""


@contextmanager
def in_front_of(control_plane: ControlPlane, faults: Faults) -> Iterator[Proxy]:
    """Run a proxy beside the test."""
    with serving(Proxy(control_plane, faults)) as proxy:
        yield proxy


@contextmanager
def serving(proxy: Proxy) -> Iterator[Proxy]:
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.end()
        thread.join(10)
