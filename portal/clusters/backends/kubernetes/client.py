"""The one place that talks to an API server: raw JSON in and out.

Every request passes the cluster's gate (``breaker``), so that one that does not answer costs one time-out and no more.
Errors hold no values of Secrets: they are the API server's own words or ours.
"""

import builtins
import contextlib
import copy
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from portal.clusters.backends.kubernetes.answers import (
    NOT_SERVED,
    Answer,
    Busy,
    Cause,
    Conflict,
    Expired,
    Refused,
    Silent,
    Stale,
)
from portal.clusters.backends.kubernetes.breaker import Gate, OpenGate
from portal.clusters.backends.kubernetes.kubeconfig import Access
from portal.clusters.backends.kubernetes.transport import (
    HURRIED_SECONDS,
    JSON,
    READ_SECONDS,
    WATCH_SECONDS,
    Event,
    Request,
    Response,
    Stream,
    Transport,
    of_kind,
)
from portal.core.drivers.kubernetes import MANAGER, Manifest, ObjectKind

__all__ = [
    "NOT_SERVED", "Access", "Busy", "Cause", "Client", "Conflict", "Event", "Expired", "Refused", "Silent", "Stale",
    "Stream",
]  # fmt: skip

PAGE = 500  # objects of one answer to a list
_APPLY = "application/apply-patch+yaml"
_NAMES_ONLY = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


class Client:
    """One API server. Built once per cluster and process (``clients``); used by any number of threads at once.

    Every method raises ``Silent`` (``Busy``) where there is no answer, ``Refused`` where the answer is no, and
    ``Stale`` where somebody else was faster.
    """

    def __init__(self, access: Access, gate: Gate | None = None) -> None:
        self._transport, self._own_gate = Transport(access), gate or OpenGate()
        self._gate: Gate = self._own_gate
        self._seconds = READ_SECONDS

    def hurried(self) -> "Client":
        """Return the same client for reads that a browser waits for: two seconds instead of ten."""
        other = self.through(self._own_gate)
        other._seconds = HURRIED_SECONDS
        return other

    def through(self, gate: Gate) -> "Client":
        """Return the same client whose requests pass another gate."""
        other = copy.copy(self)
        other._gate = gate
        return other

    def close(self) -> None:
        """Close the connections that nobody is using."""
        self._transport.close()

    # ---- objects -----------------------------------------------------------------------------------------------------

    def get(self, kind: ObjectKind, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None where there is none of that name."""
        found = self._ask("GET", _path(kind, namespace, name), absent=True)
        return None if found is None else of_kind(kind, found)

    def list(
        self, kind: ObjectKind, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> tuple[builtins.list[Manifest], str]:
        """Return all objects of a kind, of every namespace where none is said, and the list's resource version."""
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        accept = _NAMES_ONLY.format("List") if metadata_only else JSON
        for _ in range(2):
            with contextlib.suppress(Expired):  # a page's token lives for minutes: begin once more, then give up
                return self._pages(kind, _path(kind, namespace), query, accept)
        raise Busy("The list of objects changes faster than it can be read.")

    def _pages(
        self, kind: ObjectKind, path: str, query: Mapping[str, str], accept: str
    ) -> tuple[builtins.list[Manifest], str]:
        items: builtins.list[Manifest] = []
        token = ""
        while True:
            page = self._ask("GET", path, {**query, **({"continue": token} if token else {})}, accept=accept)
            items += [of_kind(kind, item) for item in page.get("items") or ()]
            token = page["metadata"].get("continue") or ""
            if not token:
                return items, str(page["metadata"].get("resourceVersion") or "")

    def apply(self, kind: ObjectKind, manifest: Manifest, *, force: bool, dry_run: bool = False) -> Manifest:
        """Apply an object by server-side apply and return it as it is now. Raises Conflict without ``force``."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict", "force": "true" if force else "false"}
        query |= {"dryRun": "All"} if dry_run else {}
        return of_kind(kind, self._ask("PATCH", _path_of(kind, manifest), query, manifest, content=_APPLY))

    def create(self, kind: ObjectKind, manifest: Manifest) -> Manifest:
        """Make an object. Raises Conflict where there is one of that name."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        path = _path(kind, manifest["metadata"].get("namespace", ""))
        return of_kind(kind, self._ask("POST", path, query, manifest))

    def replace(self, kind: ObjectKind, manifest: Manifest) -> Manifest:
        """Replace an object whole. Raises Stale where it is not the one of ``metadata.resourceVersion`` any more."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        return of_kind(kind, self._ask("PUT", _path_of(kind, manifest), query, manifest))

    def delete(
        self, kind: ObjectKind, namespace: str, name: str, *, uid: str = "", propagation: str = "Background"
    ) -> bool:
        """Have an object taken away, finalizers first. Return False where it, or that one of ``uid``, is not there."""
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            return self._ask("DELETE", _path(kind, namespace, name), body=options, absent=True) is not None
        except Stale as error:
            if uid and "precondition" in str(error).lower():
                return False
            raise
        except Refused as error:
            if error.reason == NOT_SERVED:  # its kind has gone, and all objects with it
                return False
            raise

    def watch(
        self, kind: ObjectKind, *, resource_version: str, selector: str = "", metadata_only: bool = False,
        timeout_seconds: int = 300,
    ) -> "Stream":  # fmt: skip
        """Follow a kind in every namespace from a resource version on. Connected when it returns. Raises Expired."""
        query = {"watch": "1", "resourceVersion": resource_version, "allowWatchBookmarks": "true"}
        query |= {"timeoutSeconds": str(timeout_seconds)} | ({"labelSelector": selector} if selector else {})
        accept = _NAMES_ONLY.format("") if metadata_only else JSON
        with self._gate.watching():
            response = self._transport.send(Request("GET", _path(kind), query, accept=accept), WATCH_SECONDS)
            if response.status != 200:
                raise self._answer(response).error()
        return Stream(kind, response)

    # ---- what is not an object ---------------------------------------------------------------------------------------

    def text(self, path: str, query: Mapping[str, str]) -> str:
        """Return what is at a path as text: a pod's log."""
        with self._gate.asking():
            response = self._transport.send(Request("GET", path, query, accept="*/*"), self._seconds)
            if response.status != 200:
                raise self._answer(response).error()
            return self._transport.read(response, self._seconds).decode(errors="replace")

    def json(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> Any:
        """Return what is at a path as JSON: ``/version``, metrics. Raises Refused (NotServed) where nothing is."""
        return self._ask("GET", path, query or {}, accept=accept)

    def ask(self, path: str, question: Mapping[str, Any]) -> Any:
        """Post a question that makes no object, such as a SelfSubjectAccessReview, and return the answer."""
        return self._ask("POST", path, body=question)

    # ---- requests ----------------------------------------------------------------------------------------------------

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, *,
        accept: str = JSON, content: str = JSON, absent: bool = False,
    ) -> Any:  # fmt: skip
        """Return the JSON of an answer; None where it is the 404 of an object and ``absent`` says that this may be."""
        with self._gate.asking():
            request = Request(method, path, query or {}, body, accept, content)
            response = self._transport.send(request, self._seconds)
            if 200 <= response.status < 300:
                return _loaded(self._transport.read(response, self._seconds))
            answer = self._answer(response)
            if absent and answer.is_absent():
                return None
            raise answer.error()

    def _answer(self, response: Response) -> Answer:
        body = self._transport.read(response, self._seconds)
        return Answer(response.status, body, response.headers.get("Retry-After", ""))


def _path(kind: ObjectKind, namespace: str = "", name: str = "") -> str:
    parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
    if namespace and kind.namespaced:
        parts += ["namespaces", namespace]
    parts += [kind.plural, name] if name else [kind.plural]
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _path_of(kind: ObjectKind, manifest: Manifest) -> str:
    return _path(kind, manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])


def _loaded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise Silent("The answer is not JSON: this is no API server.") from error
