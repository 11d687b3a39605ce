"""A double of an API server: answers over TLS what a test has put down for it, and knows nothing of Kubernetes.

For what an answer means, and for silence, which a real one does not give on demand; everything else is tried on the
real API server of ``tests/cluster``.
"""

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.clusters.backends.kubernetes.kubeconfig import Access

TOKEN = "canary-token-of-a-cluster"


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Reply:
    """``lines``: told one by one as a watch does; ``cut``: the connection is closed without an answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Any, ...] | None = None
    cut: bool = False
    held: threading.Event | None = None  # waited for before the answer


def status(code: int, reason: str, message: str = "no", **details: Any) -> Reply:
    """Return a refusal as an API server words it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
            "message": message, "details": details}  # fmt: skip
    return Reply(code, body)


class Double:
    """``answer``: called for each request; may be replaced at any time."""

    def __init__(self, directory: Path, trusts: str = "") -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Reply] = lambda _asked: status(404, "NotFound")
        self.stopping = threading.Event()
        self.authority, pem = certificate()
        file = directory / "server.pem"
        file.write_text(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if trusts:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=trusts)
        self.server = _Server(("127.0.0.1", 0), _handler(self))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def access(self) -> Access:
        return Access(f"https://127.0.0.1:{self.server.server_port}", self.authority, token=TOKEN)

    def on(self, answers: Mapping[str, Reply]) -> None:
        """Answer by the beginning of ``METHOD path``; 404 of the kind for everything else."""
        self.answer = lambda asked: next(
            (reply for start, reply in answers.items() if f"{asked.method} {asked.path}".startswith(start)),
            Reply(404, "404 page not found"),
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested."""


@contextmanager
def running(directory: Path, trusts: str = "") -> Iterator[Double]:
    """Run a double; with ``trusts`` it takes only clients that show that certificate."""
    double = Double(directory, trusts)
    thread = threading.Thread(target=double.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        double.stopping.set()
        double.server.shutdown()
        thread.join()
        double.server.server_close()


@contextmanager
def deaf() -> Iterator[str]:
    """Give the address of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


def _handler(double: Double) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, dict(self.headers), json.loads(body) if body else None)
            double.asked.append(asked)
            reply = double.answer(asked)
            if reply.held is not None:
                reply.held.wait(10)
            if reply.cut:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.lines is None:
                self._whole(reply.body)
            else:
                self._by_line(reply.lines)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - as the library calls them

        def _whole(self, body: Any) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _by_line(self, lines: tuple[Any, ...]) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in lines:
                if isinstance(line, threading.Event):
                    self.wfile.flush()
                    line.wait(10)
                    continue
                data = json.dumps(line).encode() + b"\n"
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

    return Handler


def certificate() -> tuple[str, str]:
    """Return the PEM of a certificate for 127.0.0.1 that signs itself, and the same with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "double")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, pem + private.decode()
