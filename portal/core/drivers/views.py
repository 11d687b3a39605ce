"""What a driver is given: a service as asked for, with its children, links and origin, all values."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portal.core.offerings import Plan
    from portal.core.specs import Spec


@dataclass(frozen=True, slots=True)
class ChildView:
    """A part of the service as asked for. ``deleting`` means: render what takes it away."""

    id: uuid.UUID
    kind: str
    name: str
    spec: Any
    generation: int
    observed_generation: int
    deleting: bool = False
    cancelled: bool = False
    state: str = "pending"  # as last seen; a run child in succeeded, failed or cancelled is finished
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether a run child has come to its end."""
        return self.state in ("succeeded", "failed", "cancelled")

    @property
    def key(self) -> str:
        """A key for this child at this generation, for ``Run.key``."""
        return f"{self.kind}:{self.id}:{self.generation}{':delete' if self.deleting else ''}"


@dataclass(frozen=True, slots=True)
class LinkView:
    """Another service that this one uses: its handle, offering, facts (endpoints) and role."""

    handle: str
    offering: str
    name: str
    facts: Mapping[str, Any]
    ready: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a restored or forked service takes its first data from: a run child of ``handle`` and its facts.

    A driver says how a restore over the service itself has ended by the fact ``restored`` or ``restore_failed`` with
    its ``key``, and the latter's cause in a condition ``RestoreFailed``.
    """

    handle: str
    kind: str
    child_id: uuid.UUID
    facts: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""  # raised by each in-place restore; empty for a service that was born from a backup
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A service as asked for, all that a driver may look at."""

    handle: str
    offering: str
    name: str
    version: str  # the line that was ordered, "17"
    release: str  # the exact build to run, "17.10"
    plan: "Plan"
    spec: "Spec"
    generation: int
    running: bool
    restarts: int
    host: str  # where endpoints are reached, no port
    allow_list: tuple[str, ...] = ()  # networks that may reach it, canonical CIDR; empty: from anywhere
    children: tuple[ChildView, ...] = ()
    links: Mapping[str, LinkView] = field(default_factory=dict)
    origin: Origin | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)  # kind -> revision of its document that is asked for
    namespace: str = ""  # on Kubernetes
    settings: Mapping[str, Any] = field(default_factory=dict)  # the cluster's: storage class, image catalog …

    @property
    def is_restoring(self) -> bool:
        """Whether a restore over this service is still to be done: its driver has not yet said how it ended."""
        if self.origin is None or not self.origin.in_place:
            return False
        return self.origin.key not in (self.facts.get("restored"), self.facts.get("restore_failed"))

    def of_kind(self, kind: str) -> tuple[ChildView, ...]:
        """Return the children of one kind, oldest first."""
        return tuple(child for child in self.children if child.kind == kind)
