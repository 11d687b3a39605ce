"""What drivers for Kubernetes declare and render: kinds of objects, manifests, secrets, what operators leave behind.

A manifest says no namespace and no label of the platform's: the backend puts them in, so that a driver can't reach into
another tenant's. Names of a service's objects begin with its handle. What a driver is shown in ``observe`` are the
objects as last seen, without ``managedFields``; of Secrets never their data.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from portal.core.drivers.answers import Connection, Observation
from portal.core.drivers.units import GeneratedSecret
from portal.core.drivers.views import View

Manifest = dict[str, Any]

DOMAIN = "archipel.eu"  # of labels and annotations
MANAGER = "archipel"  # the field manager, and the value of app.kubernetes.io/managed-by
MANAGED_BY = "app.kubernetes.io/managed-by"
HANDLE_LABEL = f"{DOMAIN}/service"
PROJECT_LABEL = f"{DOMAIN}/project"
KEEP = f"{DOMAIN}/keep-while-alive"  # annotation: not pruned when it is no longer rendered


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """A kind of object and where its API is served."""

    group: str  # empty: the core group
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """``postgresql.cnpg.io/v1/Cluster``: in discovery, in the inventory, in messages."""
        return f"{self.api_version}/{self.kind}"


SECRET = ObjectKind("", "v1", "Secret", "secrets")
CONFIG_MAP = ObjectKind("", "v1", "ConfigMap", "configmaps")
SERVICE = ObjectKind("", "v1", "Service", "services")
VOLUME_CLAIM = ObjectKind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
NETWORK_POLICY = ObjectKind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")


@dataclass(frozen=True, slots=True)
class ClusterSecret(GeneratedSecret):
    """A generated secret whose object an operator reads: of this type, with these further keys and labels."""

    type: str = "Opaque"
    plain: Mapping[str, str] = field(default_factory=dict)  # keys that are no secret, such as a user name
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Objects that an operator leaves behind: taken away after everything that was rendered is gone."""

    kind: ObjectKind
    selector: str  # a label selector


Rendered = Manifest | GeneratedSecret | Leftover


class KubernetesDriver(Protocol):
    """Translates a view to manifests, and the objects that are there to conditions. A driver derives from it.

    Manifests are applied in the order rendered and deleted in the reverse one, neighbours of one kind together.
    """

    kinds: tuple[ObjectKind, ...]  # all that it may render: watched, and within the rights of the portal's account
    operator: str  # who serves them, with version and what else has to be there: told to operators
    api_pods: tuple[str, ...] = ()  # keys of labels of pods that talk to the Kubernetes API: they are let out to it

    def render(self, view: View) -> list[Rendered]: ...

    def observe(self, view: View, objects: list[Manifest]) -> Observation: ...

    def connect(self, view: View) -> tuple[Connection, ...]: ...

    def pods(self, handle: str) -> str:
        """Return the label selector of the pods that serve it, for logs, events and metrics."""
        ...

    def needs(self, settings: Mapping[str, Any]) -> tuple[ObjectKind, ...]:
        """Return the kinds without which it is not sold in a cluster of these settings: unless it says less, all."""
        return self.kinds

    def keeps_backups(self, settings: Mapping[str, Any]) -> bool:
        """Whether services are backed up in a cluster of these settings, where the offering has backups at all."""
        return True


def driver_of(drivers: Mapping[str, Any]) -> KubernetesDriver | None:
    """Return that for Kubernetes among an offering's drivers."""
    found: KubernetesDriver | None = drivers.get("kubernetes")
    return found


def secret_name(handle: str, name: str) -> str:
    """Return the name of the Secret that holds a generated secret; what an operator makes may be named the same way."""
    return f"{handle}-{name}"


def manifest(
    kind: ObjectKind, name: str, spec: Mapping[str, Any], *, annotations: Mapping[str, str] | None = None
) -> Manifest:
    """Return an object of a kind that is described by its ``spec``."""
    metadata: dict[str, Any] = {"name": name}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": dict(spec)}


def find(objects: Iterable[Manifest], kind: ObjectKind, name: str) -> Manifest | None:
    """Return one of the objects that were seen."""
    return next(
        (
            one
            for one in objects
            if one["kind"] == kind.kind and one["apiVersion"] == kind.api_version and one["metadata"]["name"] == name
        ),
        None,
    )


def condition(seen: Manifest | None, type_: str) -> Mapping[str, Any]:
    """Return a condition of an object's status; empty where it has none of this type."""
    found = ((seen or {}).get("status") or {}).get("conditions") or []
    return next((one for one in found if one.get("type") == type_), {})


def is_current(seen: Manifest | None, part: Mapping[str, Any] | None = None) -> bool:
    """Whether a status, or one condition of it, is about the object as it is asked for now.

    An operator that tells no ``observedGeneration`` is taken at its word.
    """
    if seen is None:
        return False
    told = (seen.get("status") or {}) if part is None else part
    observed = told.get("observedGeneration")
    return observed is None or observed >= seen["metadata"].get("generation", 0)
