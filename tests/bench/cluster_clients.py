"""What the portal's objects per second stand beside: a bare loop of the official client, and kubectl.

Both apply what services consist of by server-side apply, into a namespace of their own that is there already.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from kubernetes import client, config, dynamic

from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import HANDLE_LABEL, MANAGED_BY, SECRET, Manifest, secret_name
from portal.resources.engine import view
from portal.resources.models import Resource
from tests.bench import processor
from tests.cluster import binaries
from tests.cluster.control_plane import ControlPlane

MANAGER = "bare"  # both own the fields that they apply by this name


@dataclass(frozen=True)
class Applied:
    """How objects came into the cluster: how many, in how many seconds, and with how many of processor time."""

    objects: int
    took: float
    client: float
    server: float  # API server and etcd

    def __add__(self, other: "Applied") -> "Applied":
        took, spent = self.took + other.took, self.client + other.client
        return Applied(self.objects + other.objects, took, spent, self.server + other.server)

    @property
    def rate(self) -> float:
        """Objects a second."""
        return self.objects / self.took


Client = Callable[[ControlPlane, list[Manifest]], tuple[float, float]]  # seconds, and those of its processor


def applied(by: Client, control_plane: ControlPlane, rows: list[Resource], namespace: str) -> Applied:
    """Have a client apply what these services consist of, their secrets among it."""
    control_plane.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    objects = [one for row in rows for one in manifests(row, namespace)]
    server = processor.Used(served_by(control_plane))
    took, spent = by(control_plane, objects)
    return Applied(len(objects), took, spent, server.seconds())


def served_by(control_plane: ControlPlane) -> tuple[int, int]:
    """Return the processes that each written object costs, whoever writes it."""
    return control_plane.api.pid, control_plane.etcd.pid


def bare_loop(control_plane: ControlPlane, objects: list[Manifest]) -> tuple[float, float]:
    """Apply one after the other by the official client, which has looked up the kinds before its time begins."""
    settings = client.Configuration()
    access = yaml.safe_load(control_plane.kubeconfig("bare", ("system:masters",)))
    config.load_kube_config_from_dict(access, client_configuration=settings)
    api = dynamic.DynamicClient(client.ApiClient(settings))
    served = {one["kind"]: api.resources.get(api_version=one["apiVersion"], kind=one["kind"]) for one in objects}
    began, spent = time.perf_counter(), time.thread_time()
    for one in objects:
        place = one["metadata"]
        api.server_side_apply(
            served[one["kind"]], body=one, name=place["name"], namespace=place["namespace"],
            field_manager=MANAGER, force_conflicts=True,
        )  # fmt: skip
    return time.perf_counter() - began, time.thread_time() - spent


def kubectl(control_plane: ControlPlane, objects: list[Manifest]) -> tuple[float, float]:
    """Apply a directory of manifests by one kubectl, from its start to its end, with nothing in its cache."""
    command = [str(binaries.kubectl()), "apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}"]
    with tempfile.TemporaryDirectory(prefix="archipel-kubectl-") as home:
        environment = {**os.environ, "HOME": home, "KUBECONFIG": _kubeconfig(control_plane, Path(home))}
        written = _write(objects, Path(home) / "manifests")
        began, spent = time.perf_counter(), processor.of_ended_children()
        done = subprocess.run([*command, "-f", written], env=environment, capture_output=True, text=True, check=False)
        took, spent = time.perf_counter() - began, processor.of_ended_children() - spent
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied\n") == len(objects), done.stdout
    return took, spent


def kubectl_version() -> str:
    """Return which one it is: one that was given to us may be any. Builds it first where there is none."""
    told = subprocess.run([binaries.kubectl(), "version", "--client"], capture_output=True, text=True, check=True)
    return told.stdout.partition("\n")[0].rpartition(" ")[2]


def _kubeconfig(control_plane: ControlPlane, home: Path) -> str:
    file = home / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(control_plane.kubeconfig("kubectl", ("system:masters",)))
    return str(file)


def _write(objects: Iterable[Manifest], folder: Path) -> str:
    """Write the documents of each service into a file, as people keep them."""
    files: dict[str, list[Manifest]] = {}
    for one in objects:
        files.setdefault(one["metadata"]["labels"][HANDLE_LABEL], []).append(one)
    folder.mkdir()
    for handle, documents in files.items():
        (folder / f"{handle}.yaml").write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))
    return str(folder)


def manifests(row: Resource, namespace: str) -> list[Manifest]:
    """Return a service's objects, its secrets among them, for another namespace."""
    rendered = row.offering.drivers["kubernetes"].render(view.build(row, list(row.children.single()), running=True))
    labels = {MANAGED_BY: MANAGER, HANDLE_LABEL: row.handle}
    found = []
    for item in rendered:  # type: ignore[union-attr]
        if isinstance(item, GeneratedSecret):
            found.append(_secret(secret_name(row.handle, item.name), item.keys, namespace, labels))
        elif isinstance(item, dict):
            found.append({**item, "metadata": {**item["metadata"], "namespace": namespace, "labels": labels}})
    return found


def _secret(name: str, keys: Iterable[str], namespace: str, labels: dict[str, str]) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": SECRET.kind, "metadata": metadata, "stringData": dict.fromkeys(keys, "x" * 32)}
