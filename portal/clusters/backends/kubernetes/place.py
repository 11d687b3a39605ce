"""Where a service's objects are written: its cluster's client, its row, the labels that they carry, what is there.

What a turn sees of the objects is read once; what the API server tells meanwhile is laid over that. The watch may have
noted newer ones since: it wakes the service for them.
"""

import uuid
from dataclasses import dataclass, field

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
    _answers: list[tuple[ObjectKind, str, Manifest]] = field(default_factory=list)

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
        """The service's objects as last seen when this was first asked, and as told since."""
        if self._living is None:
            objects = seen.objects(self.cluster_id, self.handle)
            self._living = {(one["apiVersion"], one["kind"], one["metadata"]["name"]): one for one in objects}
        return self._living

    @property
    def objects(self) -> list[Manifest]:
        """The same in an order that does not depend on who was told what first."""
        return [one for _key, one in sorted(self.living.items())]

    def note(self, kind: ObjectKind, told: Manifest) -> None:
        """Keep an object as the API server has just told it."""
        seen.note(self.cluster_id, self.handle, kind, told)
        self._lay_over(kind, told)

    def missing(self, kind: ObjectKind, name: str) -> None:
        """Note that the API server has just said that there is no such object."""
        seen.missing(self.cluster_id, kind, self.namespace(kind), name)
        if self._living is not None:
            self._living.pop((kind.api_version, kind.kind, name), None)

    def answered(self, kind: ObjectKind, answer: Manifest) -> None:
        """Take the answer to a write, which ``keep_answers`` keeps: until then it may get lost."""
        self._answers.append((kind, self.handle, answer))

    @property
    def has_answers(self) -> bool:
        return bool(self._answers)

    def keep_answers(self) -> None:
        """Keep what was answered since this was last called."""
        seen.note_all(self.cluster_id, self._answers)
        for kind, _, answer in self._answers:
            self._lay_over(kind, answer)
        self._answers.clear()

    def _lay_over(self, kind: ObjectKind, told: Manifest) -> None:
        if self._living is not None:
            self._living[kind.api_version, kind.kind, told["metadata"]["name"]] = seen.kept(kind, told)

    @property
    def labels(self) -> dict[str, str]:
        return {MANAGED_BY: MANAGER, HANDLE_LABEL: self.handle, PROJECT_LABEL: str(self.project_id)}
