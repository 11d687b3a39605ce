"""The operators' kinds on a control plane: by their published schemas if there is a folder of them, else permissive.

Published schemas are not part of the repository: ``ARCHIPEL_CRDS`` names a folder with a file
``<group>_<plural>.yaml`` for each, somewhere below it.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from portal.bootstrap.say import say
from portal.core import registry
from portal.core.drivers.kubernetes import ObjectKind
from tests.cluster.control_plane import Answered, ControlPlane

SERVED_WITHIN = 60.0  # seconds
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = "application/apply-patch+yaml"  # JSON is YAML
# What the kinds of these tests' own are, whatever the drivers declare.
CLUSTER = ObjectKind("postgresql.cnpg.io", "v1", "Cluster", "clusters")
VALKEY = ObjectKind("valkey.io", "v1alpha1", "ValkeyCluster", "valkeyclusters")


class NotServed(Exception):
    """The API server did not take a kind, or the published schema has another version than the driver wants."""


@dataclass(frozen=True)
class Installed:
    """What an API server serves on top of its own kinds, and which of it is held to a published schema."""

    kinds: tuple[ObjectKind, ...]
    published: frozenset[ObjectKind]

    @property
    def is_strict(self) -> bool:
        """Tell whether every kind has its published schema, so that a typo in a manifest is refused."""
        return self.published == frozenset(self.kinds)


def declared() -> tuple[ObjectKind, ...]:
    """Return the kinds that Kubernetes drivers declare, and this module's own. Asks Django's apps."""
    drivers = [offering.drivers.get("kubernetes") for offering in registry.offerings().values()]
    kinds = [kind for driver in drivers for kind in getattr(driver, "kinds", ())]
    return tuple(dict.fromkeys([*kinds, CLUSTER, VALKEY]))


def install(control_plane: ControlPlane, kinds: Iterable[ObjectKind]) -> Installed:
    """Install what the API server does not serve by itself, wait until it does, and say in one line which it is."""
    wanted = [kind for kind in kinds if not _is_built_in(control_plane, kind)]
    folder = os.environ.get("ARCHIPEL_CRDS", "")
    found = {kind: _published(Path(folder), kind) if folder else None for kind in wanted}
    for kind, definition in found.items():
        _apply(control_plane, definition or permissive(kind))
    for kind in wanted:
        _wait(control_plane, kind)
    control_plane.restart_controllers()
    published = frozenset(kind for kind, definition in found.items() if definition)
    say(_which(len(published), [kind.key for kind in wanted if kind not in published], folder))
    return Installed(tuple(wanted), published)


def _which(published: int, permissive: list[str], folder: str) -> str:
    if not permissive:
        return f"operators' kinds: {published} with the schemas published in {folder}"
    names = ", ".join(permissive)
    why = f"{folder} has no more" if folder else "ARCHIPEL_CRDS names no folder"
    return (
        f"operators' kinds: {published} with published schemas, {len(permissive)} that take any field ({why}): {names}"
    )


def permissive(kind: ObjectKind) -> dict[str, Any]:
    """Return a definition that takes any field, with a status of its own."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}}
    version = {"name": kind.version, "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    schema["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] = True
    names = {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower(), "listKind": f"{kind.kind}List"}
    scope = "Namespaced" if kind.namespaced else "Cluster"
    return _definition(kind, {"group": kind.group, "names": names, "scope": scope, "versions": [version]})


def _published(folder: Path, kind: ObjectKind) -> dict[str, Any] | None:
    files = sorted(folder.glob(f"**/{kind.group}_{kind.plural}.yaml"))
    if not files:
        return None
    definition = yaml.load(files[0].read_text(), Loader=yaml.CSafeLoader)  # many times as fast as in Python
    served = [version["name"] for version in definition["spec"]["versions"] if version["served"]]
    if kind.version not in served:
        raise NotServed(f"{files[0]} serves {', '.join(served)}; the driver wants {kind.version}")
    spec = {
        key: value for key, value in definition["spec"].items() if key != "conversion"
    }  # nobody is there to convert
    return _definition(kind, spec, annotations=definition["metadata"].get("annotations", {}))


def _definition(kind: ObjectKind, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    name = f"{kind.plural}.{kind.group}"
    if kind.group.endswith(".k8s.io"):  # protected groups ask for a word of approval
        metadata.setdefault("annotations", {}).setdefault("api-approved.kubernetes.io", "unapproved, for tests")
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": {"name": name, **metadata}, "spec": spec}


def _is_built_in(control_plane: ControlPlane, kind: ObjectKind) -> bool:
    """Tell whether the API server has the kind without a definition."""
    if not kind.group or "." not in kind.group:
        return True
    if not kind.group.endswith(".k8s.io"):
        return False
    services = control_plane.call("GET", "/apis/apiregistration.k8s.io/v1/apiservices")["items"]
    local = {
        item["spec"].get("group", "")
        for item in services
        if not item["spec"].get("service")
        and item["metadata"].get("labels", {}).get("kube-aggregator.kubernetes.io/automanaged") == "onstart"
    }
    return kind.group in local


def _apply(control_plane: ControlPlane, definition: dict[str, Any]) -> None:
    path = f"{DEFINITIONS}/{definition['metadata']['name']}?fieldManager=tests&force=true"
    control_plane.call("PATCH", path, definition, content=APPLY)


def _wait(control_plane: ControlPlane, kind: ObjectKind) -> None:
    deadline = time.monotonic() + SERVED_WITHIN
    while not _is_served(control_plane, kind):
        if time.monotonic() > deadline:
            conditions = control_plane.call("GET", f"{DEFINITIONS}/{kind.plural}.{kind.group}").get("status")
            raise NotServed(f"{kind.key} is not served after {SERVED_WITHIN:.0f} s: {conditions}")
        time.sleep(0.2)


def _is_served(control_plane: ControlPlane, kind: ObjectKind) -> bool:
    """Tell whether the definition is established, discovery names the kind, and a list is answered."""
    definition = control_plane.call("GET", f"{DEFINITIONS}/{kind.plural}.{kind.group}")
    conditions = {line["type"]: line["status"] for line in definition.get("status", {}).get("conditions") or []}
    if conditions.get("Established") != "True":
        return False
    try:
        served = control_plane.call("GET", f"/apis/{kind.api_version}")["resources"]
        control_plane.call("GET", f"/apis/{kind.api_version}/{kind.plural}?limit=1")
    except Answered:
        return False
    return kind.plural in {line["name"] for line in served}
