"""Where a service's objects are written: its cluster's client, its row, and the labels that they carry."""

import uuid
from dataclasses import dataclass

from portal.clusters.backends.kubernetes import seen
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.models import Inventory
from portal.core.drivers.kubernetes import HANDLE_LABEL, MANAGED_BY, MANAGER, PROJECT_LABEL, Manifest, ObjectKind

Key = tuple[str, str, str]  # apiVersion, kind and name


@dataclass(slots=True)
class Workplace:
    """One service in one cluster, for as long as one turn takes."""

    client: Client
    row: Inventory
    project_id: uuid.UUID
    _living: dict[Key, Manifest] | None = None

    @property
    def cluster_id(self) -> uuid.UUID:
        return self.row.cluster_id

    @property
    def handle(self) -> str:
        return self.row.handle

    def namespace(self, kind: ObjectKind) -> str:
        return self.row.namespace if kind.namespaced else ""

    @property
    def living(self) -> dict[Key, Manifest]:
        """The service's objects as last seen when this was first asked."""
        if self._living is None:
            objects = seen.objects(self.cluster_id, self.handle)
            self._living = {(one["apiVersion"], one["kind"], one["metadata"]["name"]): one for one in objects}
        return self._living

    @property
    def labels(self) -> dict[str, str]:
        return {MANAGED_BY: MANAGER, HANDLE_LABEL: self.handle, PROJECT_LABEL: str(self.project_id)}
