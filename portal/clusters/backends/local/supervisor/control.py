"""The supervisor's socket: one JSON object a line in, one out. Operations: ping, poke, metrics, detach.

The same file holds the few lines that callers need; they never wait long.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portal.bootstrap import paths
from portal.clusters.backends.local import files

Answer = Callable[[dict[str, Any]], dict[str, Any]]
_LONGEST = 4 << 20


def socket_path(data: Path) -> Path:
    return paths.run_directory(data) / "supervisor.sock"


async def listen(data: Path, answer: Answer) -> asyncio.Server:
    """Answer on the socket; one that an earlier supervisor left is replaced."""
    path = socket_path(data)
    files.private_directory(path.parent)
    path.unlink(missing_ok=True)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                writer.write(_answered(line, answer))
                await writer.drain()
        writer.close()

    before = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(serve, path)
    finally:
        os.umask(before)


def _answered(line: bytes, answer: Answer) -> bytes:
    try:
        question = json.loads(line)
        reply = answer(question) if isinstance(question, dict) else {"error": "an object is expected"}
    except ValueError:
        reply = {"error": "this is not JSON"}
    return json.dumps(reply).encode() + b"\n"


# ---- for callers -----------------------------------------------------------------------------------------------------


def ask(data: Path, question: dict[str, Any], timeout: float = 2.0) -> dict[str, Any]:
    """Ask the supervisor and return its answer. Raises OSError (also TimeoutError) where it does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout)
        line.connect(str(socket_path(data)))
        line.sendall(json.dumps(question).encode() + b"\n")
        with line.makefile("rb") as answers:
            answer = json.loads(answers.readline(_LONGEST) or b"{}")
    return answer if isinstance(answer, dict) else {}


def poke(data: Path, handle: str) -> None:
    """Tell the supervisor to look at one instance now. Best effort: it looks by itself soon after."""
    with contextlib.suppress(OSError, ValueError):
        ask(data, {"op": "poke", "handle": handle}, timeout=0.2)


def ping(data: Path, timeout: float = 1.0) -> bool:
    """Say whether a supervisor is at work; ``/readyz`` asks."""
    try:
        return bool(ask(data, {"op": "ping"}, timeout).get("ok"))
    except (OSError, ValueError):
        return False
