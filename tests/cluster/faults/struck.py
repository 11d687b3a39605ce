"""Workers as processes of their own that are killed at a point: before or after a write to database or API server."""

import os
import traceback
from collections.abc import Callable
from typing import Any

from django.db import connection, connections

from portal.clusters.backends.kubernetes import tenancy
from portal.clusters.backends.kubernetes.client import Client
from tests.chaos.every_write.points import Points

_WRITES = ("INSERT", "UPDATE", "DELETE")


class Told(Points):
    """Points whose names are told to whoever started the process, for it may not live to say them.

    ``only_requests``: those at the database are told and not counted.
    """

    def __init__(self, kill_at: int, pipe: int, *, only_requests: bool) -> None:
        super().__init__(kill_at)
        self._pipe, self._only_requests = pipe, only_requests

    def reach(self, name: str) -> None:
        os.write(self._pipe, f"{name}\n".encode())
        if is_request(name) or not self._only_requests:
            super().reach(name)


def is_request(point: str) -> bool:
    """Whether a point is one at the API server, such as ``before PATCH configmaps``."""
    return point.split()[1] in ("PATCH", "POST", "PUT", "REMOVE")


def worker(work: Callable[[], Any], kill_at: int = 0, *, only_requests: bool = False) -> tuple[bool, list[str]]:
    """Do something in a child process that dies at its ``kill_at``-th point; return whether it did, and the points.

    ``kill_at`` 0: at none. Raises AssertionError where the work itself broke.
    """
    connections.close_all()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _be(work, Told(kill_at, writer, only_requests=only_requests))
    os.close(writer)
    with os.fdopen(reader) as told:
        points = told.read().splitlines()
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, f"the work broke after {points[-3:]}"
    return os.WIFSIGNALED(status), points


def _be(work: Callable[[], Any], points: Points) -> None:
    """Be the worker: nothing of the test's own is run when it ends."""
    try:
        tenancy.forget()
        _count(points)
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _count(points: Points) -> None:
    def sql(execute: Callable[..., Any], text: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        words = text.split(maxsplit=3)
        if words[0] not in _WRITES:
            return execute(text, params, many, context)
        table = next(word for word in words[1:] if word not in ("INTO", "FROM")).strip('"')
        return points.around(f"{words[0]} {table}", execute)(text, params, many, context)

    connection.execute_wrappers.append(sql)
    connection._commit = points.around("COMMIT", connection._commit)  # type: ignore[method-assign]
    ask = Client._ask

    def counted(self: Client, method: str, path: str, *args: Any, **more: Any) -> Any:
        if method == "GET":
            return ask(self, method, path, *args, **more)
        word, plural = ("REMOVE" if method == "DELETE" else method), path.split("/")[-1 if method == "POST" else -2]
        whole = points.around(f"{word} {plural}", ask)
        return whole(self, method, path, *args, **more)

    Client._ask = counted  # type: ignore[method-assign]
