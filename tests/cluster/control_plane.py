"""A Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, in one directory.

etcd listens on a Unix socket in that directory. No kubelet and no scheduler: pods stay Pending, and what a controller
or an operator would say of them has to be played (``tests/cluster/played_operator.py``).
"""

import base64
import json
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import audit, binaries, flags
from tests.cluster.certificates import Authority
from tests.cluster.programs import Program
from tests.ports import free_port

ADMIN = "admin"
MASTERS = ("system:masters",)
READY_WITHIN = 120.0  # seconds; a loaded machine takes its time
STOP_WITHIN = 20.0


class NotReady(Exception):
    """A program of the control plane ended, or did not answer in time; the message has the end of its log."""


class Answered(Exception):
    """The API server said no: its status, its reason in one word, its message."""

    def __init__(self, status: int, body: str) -> None:
        try:
            said: dict[str, Any] = json.loads(body)
        except ValueError:
            said = {"message": body}
        self.status, self.reason, self.message = status, said.get("reason", ""), said.get("message", "")
        super().__init__(f"{status} {self.reason}: {self.message}")


class ControlPlane:
    """One control plane. A directory that held one before goes on with its port, its certificates and its objects.

    ``lasting`` ones outlive the process that started them; others are killed with it, however it ends.
    """

    def __init__(self, directory: Path, *, lasting: bool = False) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory.absolute()
        self.authority = Authority(self.directory / "pki")
        self.port = self._settled_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.etcd = Program("etcd", self.directory, lasting=lasting)
        self.api = Program("kube-apiserver", self.directory, lasting=lasting)
        self.controllers = Program("kube-controller-manager", self.directory, lasting=lasting)
        self.audit = audit.Log(self.directory / "audit.log")

    def start(self) -> None:
        """Start all three and wait until they serve. Raises NotReady, BuildFailed."""
        programs = binaries.folder()
        self._write_files()
        self.etcd.start(programs, flags.etcd(self.directory))
        self.api.start(programs, flags.api_server(self.directory, self.port))
        self.controllers.start(programs, flags.controllers(self.directory))
        self._wait(self._is_ready)
        self._wait(self._has_default_account)

    def stop(self) -> None:
        """End all three, in the order that leaves none waiting for another. They keep what they have written."""
        for program in (self.controllers, self.api, self.etcd):
            program.end(signal.SIGTERM, STOP_WITHIN)

    def kill(self) -> None:
        """End the API server as a crash would: connections and watches break at once."""
        self.api.end(signal.SIGKILL, STOP_WITHIN)

    def start_again(self) -> None:
        """Start the API server alone, on its port, and wait until it serves. Objects are as they were.

        The controllers begin anew: refused before it knew its roles again, they would wait for up to a minute.
        """
        self.api.start(binaries.folder(), flags.api_server(self.directory, self.port))
        self._wait(self._is_ready)
        self.restart_controllers()

    def restart_controllers(self) -> None:
        """Have the controllers look at once at which kinds there are; by themselves they do every 30 seconds."""
        self.controllers.end(signal.SIGKILL, STOP_WITHIN)
        self.controllers.start(binaries.folder(), flags.controllers(self.directory))

    def kubeconfig(self, user: str = ADMIN, groups: Sequence[str] | None = None, *, server: str = "") -> str:
        """Return a kubeconfig with all data inline, by client certificate; ``admin`` is in ``system:masters``.

        ``server`` names another address, for a proxy that stands in front and has this one's certificate.
        """
        if groups is None:
            groups = MASTERS if user == ADMIN else ()
        pair = self.authority.client(user, groups)
        encoded = {
            "client-certificate-data": base64.b64encode(pair.certificate).decode(),
            "client-key-data": base64.b64encode(pair.key).decode(),
        }
        return self._config(user, encoded, server)

    def kubeconfig_for(self, namespace: str, account: str, *, server: str = "") -> str:
        """Return a kubeconfig with a token of a service account that exists, good for a day."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
        answer = self.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body)
        return self._config(account, {"token": answer["status"]["token"]}, server)

    def call(self, method: str, path: str, body: Any = None, *, content: str = "application/json") -> Any:
        """Return the decoded answer to one request as ``admin``. Raises Answered where the server refuses.

        For fixtures: what is tested goes through the product's client or the official one.
        """
        with self._answer(method, path, body, content) as answer:
            text = answer.read().decode()
            return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text

    def watch(self, path: str) -> Iterator[Any]:
        """Yield the events of a watch as ``admin`` until the server ends it."""
        with self._answer("GET", path, None, "") as lines:
            for line in lines:
                yield json.loads(line)

    def _answer(self, method: str, path: str, body: Any, content: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, {"User-Agent": "archipel-tests"}, method=method)
        if data is not None:
            request.add_header("Content-Type", content)
        try:
            return urllib.request.urlopen(request, timeout=60, context=self._trust())
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise Answered(refusal.code, refusal.read().decode()) from None

    def _trust(self) -> ssl.SSLContext:
        folder = self.authority.folder
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        context.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        return context

    def _settled_port(self) -> int:
        noted = self.directory / "port"
        if not noted.exists():
            noted.write_text(str(free_port()))
        return int(noted.read_text())

    def _write_files(self) -> None:
        self.authority.server()
        self.authority.client(ADMIN, MASTERS).write(self.authority.folder, "admin")
        audit.write_policy(self.directory / "audit-policy.yaml")
        for name, user, groups in (("admin", ADMIN, MASTERS), ("controllers", flags.CONTROLLERS_USER, ())):
            file = self.directory / f"{name}.kubeconfig"
            file.touch(mode=0o600)
            file.write_text(self.kubeconfig(user, groups))

    def _config(self, user: str, credentials: dict[str, str], server: str) -> str:
        authority = base64.b64encode(self.authority.pair.certificate).decode()
        cluster = {"server": server or self.server, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "current-context": "tests",
        }
        return yaml.safe_dump(config, sort_keys=False)

    def _wait(self, question: Callable[[], bool]) -> None:
        """Ask until the answer is true, while all three are alive."""
        deadline = time.monotonic() + READY_WITHIN
        while not question():
            dead = [one for one in (self.etcd, self.api, self.controllers) if one.was_started and not one.is_alive()]
            if dead or time.monotonic() > deadline:
                raise NotReady("\n".join(one.last_words() for one in dead or [self.api]))
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return bool(self.call("GET", "/readyz") == "ok")
        except (OSError, Answered):
            return False

    def _has_default_account(self) -> bool:
        """Tell whether the controllers are at work: without this account no pod is admitted."""
        try:
            return bool(self.call("GET", "/api/v1/namespaces/default/serviceaccounts/default"))
        except (OSError, Answered):
            return False

    def pids(self) -> dict[str, int]:
        """Return what runs, by name."""
        return {one.name: one.pid for one in (self.etcd, self.api, self.controllers) if one.is_alive()}
