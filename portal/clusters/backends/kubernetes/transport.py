"""Requests to one API server over the official library's pool of connections, and what can go wrong with them.

Only ``client`` uses it. No proxy, no redirect, no file on a disk, no try again but that of a connection found closed.
"""

import contextlib
import json
import os
import time
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiException, Configuration
from kubernetes.client.rest import RESTClientObject

from portal.clusters.backends.kubernetes.answers import Answer, Busy, Silent
from portal.clusters.backends.kubernetes.kubeconfig import Access
from portal.core.drivers.kubernetes import Manifest, ObjectKind

CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0
HURRIED_SECONDS = 2.0  # of a read that somebody's browser waits for
WATCH_SECONDS = 100.0  # without a word: a bookmark comes about every minute
CONNECTIONS = 16  # that are kept open per cluster and process
JSON = "application/json"
Response = urllib3.BaseHTTPResponse
_TROUBLE = (urllib3.exceptions.HTTPError, ApiException, OSError)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; ``body`` is written as JSON, which server-side apply takes for YAML."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None
    accept: str = JSON
    content: str = JSON


class Transport:
    """The connections to one API server; used by any number of threads at once."""

    def __init__(self, access: Access) -> None:
        self._server = access.server
        self._headers = {"User-Agent": "archipel"}
        if access.token:
            self._headers["Authorization"] = f"Bearer {access.token}"
        key = _in_memory(f"{access.certificate}\n{access.key}") if access.certificate else None
        self._forget_key = weakref.finalize(self, os.close, key) if key is not None else None
        self._rest: Any = _pool(access, key)  # the library has no types

    def close(self) -> None:
        """Close the connections that nobody is using, and forget the key."""
        self._rest.close()
        if self._forget_key is not None:
            self._forget_key()

    def send(self, request: Request, seconds: float) -> Response:
        """Send a request; once more where a connection that was kept open turns out to be closed.

        That is safe with each of our methods: an apply, a replacement and a deletion may come twice, and a second
        creation is told as a conflict.
        """
        with contextlib.suppress(urllib3.exceptions.ProtocolError):
            return self._send(request, seconds)
        try:
            return self._send(request, seconds)
        except urllib3.exceptions.ProtocolError as error:
            raise Silent(words(error)) from error

    def _send(self, request: Request, seconds: float) -> Response:
        url = f"{self._server}{request.path}" + (f"?{urlencode(request.query)}" if request.query else "")
        headers = {**self._headers, "Accept": request.accept}
        begun = time.monotonic()
        if request.body is not None:
            headers["Content-Type"] = request.content
        try:
            answer = self._rest.request(
                request.method, url, headers=headers, body=request.body, _request_timeout=(CONNECT_SECONDS, seconds)
            )
        except urllib3.exceptions.ProtocolError:
            raise
        except urllib3.exceptions.ReadTimeoutError as error:
            if time.monotonic() - begun < seconds:  # it was the connection that timed out: nobody speaks TLS there
                raise Silent(words(error)) from error
            raise self._slow(seconds) from error
        except _TROUBLE as error:
            raise Silent(words(error)) from error
        response: Response = answer.response
        return response

    def read(self, response: Response, seconds: float) -> bytes:
        """Return the whole body of an answer."""
        try:
            return response.data
        except urllib3.exceptions.ReadTimeoutError as error:
            raise self._slow(seconds) from error
        except _TROUBLE as error:
            raise Silent(words(error)) from error

    def _slow(self, seconds: float) -> Silent:
        """Return Busy where the server answers another question: one slow answer does not mean that it is dead."""
        timeout = (CONNECT_SECONDS, HURRIED_SECONDS)
        try:
            url = f"{self._server}/version"
            self._rest.request("GET", url, headers=dict(self._headers), _request_timeout=timeout).read()
        except _TROUBLE:
            return Silent(f"No answer within {seconds:.0f} s.")
        return Busy(f"No answer to this request within {seconds:.0f} s.")


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch tells: ADDED, MODIFIED, DELETED or BOOKMARK, and the object with its apiVersion and kind."""

    type: str
    object: Manifest


class Stream:
    """The events of one watch, until the server ends it; ``close`` ends it from any thread."""

    def __init__(self, kind: ObjectKind, response: Response) -> None:
        self._kind, self._response, self._closed = kind, response, False

    def __iter__(self) -> Iterator[Event]:
        """Raises Expired, and Silent where the connection breaks off or nothing is said for too long."""
        try:
            for line in self._response:
                if line.strip():
                    yield self._event(line)
        except (*_TROUBLE, ValueError) as error:
            if not self._closed:
                raise Silent(words(error)) from error
        finally:
            self._response.close()

    def _event(self, line: bytes) -> Event:
        told = json.loads(line)
        if told["type"] == "ERROR":
            code = int(told["object"].get("code") or 500)
            raise Answer(code, json.dumps(told["object"]).encode()).error()
        return Event(told["type"], of_kind(self._kind, told["object"]))

    def close(self) -> None:
        """End the watch: whoever waits for its next event gets no more."""
        self._closed = True
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self._response.shutdown()


def of_kind(kind: ObjectKind, item: Manifest) -> Manifest:
    """Return an object that says what it is: items of lists and objects without their bodies do not."""
    return {**item, "apiVersion": kind.api_version, "kind": kind.kind}


def words(error: BaseException) -> str:
    """Return what went wrong in one line: the innermost cause, which names no header and no body."""
    reason = getattr(error, "reason", None) or error
    text = " ".join(str(reason).split())
    return (text.rpartition("): ")[2] or type(reason).__name__)[:300]  # without the library's name of the connection


def _pool(access: Access, key: int | None) -> RESTClientObject:
    """Return the library's pool of connections: no proxy, no redirect, no try of its own; keep-alive as client-go."""
    settings = Configuration(host=access.server)
    settings.proxy, settings.retries, settings.keep_alive = None, False, True
    settings.connection_pool_maxsize = CONNECTIONS
    settings.ca_cert_data = access.authority or None
    settings.tls_server_name = access.server_name or None
    if key is not None:
        settings.cert_file = settings.key_file = f"/proc/self/fd/{key}"
    return RESTClientObject(settings)


def _in_memory(pem: str) -> int:
    """Return the descriptor of a file that is on no disk: TLS libraries read keys from files only."""
    descriptor = os.memfd_create("client-certificate")
    os.write(descriptor, pem.encode("ascii"))
    return descriptor
