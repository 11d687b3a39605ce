"""A real receiver on loopback, with or without TLS, that keeps what it was sent and answers as a test says."""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from portal.clusters.backends.local.certificates import Authority

NAME = "hooks.example.org"  # what the certificate is for


@dataclass
class Receiver:
    """Where it listens, what came, and how it answers: status, headers, body, seconds before, and between two bytes."""

    port: int = 0
    ca: Path = Path()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"
    wait: float = 0.0
    drip: float = 0.0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def url(self, scheme: str = "https", host: str = NAME) -> str:
        return f"{scheme}://{host}:{self.port}/hook"


class Handler(http.server.BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        receiver = self.receiver
        length = int(self.headers.get("Content-Length", 0))
        receiver.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(length)))
        time.sleep(receiver.wait)
        try:
            self._answer(receiver)
        except OSError:
            return  # who asked has gone

    do_GET = do_POST  # noqa: N815 - the name that the server looks for

    def _answer(self, receiver: Receiver) -> None:
        self.send_response(receiver.status)
        for name, value in {"Content-Length": str(len(receiver.body)), **receiver.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for byte in receiver.body if receiver.drip else b"":
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(receiver.drip)
        if not receiver.drip:
            self.wfile.write(receiver.body)

    def log_message(self, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that does not like the certificate


@contextmanager
def receiving(directory: Path, *, tls: bool = True) -> Iterator[Receiver]:
    """Serve on a free port of loopback until the block ends."""
    receiver = Receiver()
    handler = type("Kept", (Handler,), {"receiver": receiver})
    with Server(("127.0.0.1", 0), handler) as server:
        receiver.port = server.server_address[1]
        if tls:
            receiver.ca = _wrap(server, directory)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join(5)


def _wrap(server: Server, directory: Path) -> Path:
    """Put TLS before the server with a certificate for ``NAME``, and return who signed it."""
    (directory / "receiver").mkdir(parents=True)
    Authority(directory).ensure(directory / "receiver", "receiver", [NAME])
    tls = directory / "receiver" / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return tls / "ca.pem"
