"""Doubles for what no test can have for real: pods that run (no kubelet runs here), Prometheus, and metrics-server.

``PlayedPods`` answers as an API server with pods would; ``Recorded`` is a small HTTP server that gives back what it was
given, in the shapes of https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from portal.clusters.backends.kubernetes.client import Refused
from portal.core.drivers.kubernetes import ObjectKind


@dataclass
class PlayedPods:
    """Pods by their selector, logs by ``POD/CONTAINER`` (``…/previous``), JSON by path."""

    pods: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    logs: dict[str, str | Exception] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    trouble: Exception | None = None

    def hurried(self) -> "PlayedPods":
        return self

    def list(self, kind: ObjectKind, *, namespace: str, selector: str) -> tuple[list[dict[str, Any]], str]:
        if self.trouble:
            raise self.trouble
        assert (kind.kind, namespace) == ("Pod", "prj-1")
        self.asked.append((f"pods?{selector}", {}))
        return self.pods.get(selector, []), "1"

    def text(self, path: str, query: Mapping[str, str]) -> str:
        self.asked.append((path, dict(query)))
        pod = path.split("/")[-2]
        found = self.logs.get(f"{pod}/{query['container']}" + ("/previous" if query.get("previous") else ""), "")
        if isinstance(found, Exception):
            raise found
        return found

    def json(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        self.asked.append((path, dict(query or {})))
        if path not in self.answers:
            raise Refused(404, "NotServed", "the server could not find the requested resource")
        return self.answers[path]


def pod(name: str, *containers: str, created: str = "2026-11-25T10:00:00Z", **status: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": one, "resources": {"limits": {"cpu": "500m"}}} for one in containers]}
    return {"metadata": {"name": name, "creationTimestamp": created}, "spec": spec, "status": status}


class Recorded:
    """A Prometheus of one answer per metric; ``asked`` holds the queries as they came."""

    def __init__(self, answers: Mapping[str, Any], status: int = 200) -> None:
        self.asked: list[dict[str, str]] = []
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                recorded.asked.append(query)
                found = {name: values for name, values in answers.items() if f'"{name}"' in query["query"]}
                result = [{"metric": {"archipel_series": name}, "values": values} for name, values in found.items()]
                body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Recorded"]:
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()
