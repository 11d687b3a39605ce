"""The pods that serve a service: where its log and its load are read. Only with what the portal itself has written."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.backends.kubernetes.clients import client_of
from portal.clusters.models import Inventory
from portal.core import registry
from portal.core.drivers.kubernetes import SECRET, Manifest, ObjectKind

POD = ObjectKind("", "v1", "Pod", "pods")


@dataclass(frozen=True)
class Place:
    """Where in a cluster a service lives, and the client to ask there; a browser waits for the answers."""

    client: Client
    namespace: str
    handle: str
    kinds: frozenset[str]  # keys of the kinds of its objects

    @cached_property
    def pods(self) -> list[Manifest]:
        """The service's pods, the newest first."""
        found = [pod for selector in self._selectors() for pod in self._list(selector)]
        return sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)

    def _list(self, selector: str) -> list[Manifest]:
        return self.client.list(POD, namespace=self.namespace, selector=selector)[0]

    def _selectors(self) -> Iterator[str]:
        """Yield what each driver says that may have rendered these objects; each selector holds the handle."""
        for offering in registry.offerings().values():
            driver: Any = offering.drivers.get("kubernetes")
            if driver is not None and self.kinds and self.kinds <= {kind.key for kind in driver.kinds}:
                selector = driver.pods(self.handle)
                if self.handle in selector:
                    yield selector


def place_of(cluster_id: uuid.UUID, handle: str) -> Place | None:
    """Return where a service lives; None where nothing was ever asked for it."""
    row = Inventory.objects.filter(cluster_id=cluster_id, handle=handle).only("namespace", "entries").first()
    if row is None or not row.namespace:
        return None
    kinds = frozenset(entry.rpartition("/")[0] for entry in row.entries) - {SECRET.key}
    return Place(client_of(cluster_id).hurried(), row.namespace, handle, kinds)
