"""The declaration of a managed service: everything that pages, API, prices, quotas and tests know of it.

A family's ``offerings`` package holds one module each with ``OFFERING = Offering(...)``; nothing else is edited.
"""

import datetime
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.core import specs
from portal.core.drivers import Driver
from portal.core.restarts import Restart
from portal.core.specs import Spec, meta_of

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Version:
    """A line that can be ordered, such as ``17``, with its exact builds, newest first.

    ``end_of_support`` is upstream's date; after it the order needs a ticked warning. ``package`` names the local engine
    package of a build.
    """

    line: str
    releases: tuple[str, ...] = ()
    default: bool = False
    end_of_support: datetime.date | None = None
    source: str = ""

    @property
    def newest(self) -> str:
        return self.releases[0] if self.releases else self.line

    def ended(self, today: datetime.date) -> bool:
        return self.end_of_support is not None and today > self.end_of_support


@dataclass(frozen=True, slots=True)
class Plan:
    """A size sold: tier and GiB of memory per node. The slug never changes its content (a change is a new slug)."""

    slug: str
    name: Text
    cpu: Decimal  # vCPU per node
    memory_mib: int  # per node
    disk_gib: int  # per node, included; more may be asked for in the spec
    nodes: int = 1
    zones: int = 1
    sla_percent: Decimal | None = None
    backup_retention_days: int = 1
    free: bool = False
    backends: tuple[str, ...] = ("local", "kubernetes")
    summary: Text = ""

    @property
    def memory_gib(self) -> Decimal:
        return Decimal(self.memory_mib) / 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a service takes of its project's and organization's limits, all of its nodes and helpers together."""

    vcpu: Decimal
    memory_mib: int
    storage_gib: int

    def __add__(self, other: "Footprint") -> "Footprint":
        return Footprint(
            self.vcpu + other.vcpu, self.memory_mib + other.memory_mib, self.storage_gib + other.storage_gib
        )


@dataclass(frozen=True, slots=True)
class Meter:
    """A quantity that is counted and billed; its price per unit is in the price book under ``slug``."""

    slug: str
    name: Text
    unit: Text
    component: str = "compute"  # compute, storage, backup, traffic: the lines of a price


INSTANCE_SECONDS = Meter("instance-seconds", _("Compute"), pgettext_lazy("unit", "s"), "compute")
STORAGE_GIB_SECONDS = Meter("storage-gib-seconds", _("Storage"), pgettext_lazy("unit", "GiB·s"), "storage")
BACKUP_GIB_SECONDS = Meter("backup-gib-seconds", _("Backups"), pgettext_lazy("unit", "GiB·s"), "backup")


@dataclass(frozen=True, slots=True)
class Yes:
    """The offering can do it. ``note`` says within which bounds, where there are any.

    ``otherwise`` says what holds on the backends that are not named, where it can be had there in another way or not.
    """

    note: Text = ""
    backends: tuple[str, ...] = ("local", "kubernetes")
    otherwise: "Yes | No | None" = None

    def __bool__(self) -> bool:
        return True

    def on(self, backend: str) -> "Yes | No":
        """Return what holds on one kind of cluster."""
        if backend in self.backends:
            return self
        return (
            self.otherwise.on(backend)
            if self.otherwise is not None
            else No(_("It can't be had in this kind of region."), "")
        )


@dataclass(frozen=True, slots=True)
class No:
    """The offering can't: why not, and where that is written (an address, or the offering's own design)."""

    reason: Text
    source: str

    def __bool__(self) -> bool:
        return False

    def on(self, _backend: str) -> "No":
        """Return what holds on one kind of cluster: the same on all."""
        return self


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What customers compare services by. Each a Yes or a No with its reason; the README's table is made from it."""

    stop: Yes | No
    resize: Yes | No
    minor_upgrade: Yes | No
    major_upgrade: Yes | No
    backup: Yes | No
    restore: Yes | No
    pitr: Yes | No
    replicas: Yes | No
    high_availability: Yes | No
    users: Yes | No
    rotation: Yes | No
    tls: Yes | No
    allow_list: Yes | No
    metrics: Yes | No
    logs: Yes | No

    def as_dict(self) -> dict[str, Yes | No]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Nature(StrEnum):
    """How a kind of child lives: kept as asked, or run once to an end."""

    DESIRED = "desired"
    RUN = "run"


class Sync(StrEnum):
    """How children reach the backend: each seen by every turn, or all of a kind as one document when some changed."""

    EACH = "each"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class ChildKind:
    """A part that a service can have: its plural slug is tab, API path and permission.

    ``prefix`` begins its public ids. ``credential`` marks kinds whose children are logins. ``verbs`` names what can be
    done: create, update, delete, cancel, retry, download. ``protected(spec)`` says why a child may not be deleted.
    ``initial(spec)`` names what each new service starts with. Kinds of which there may be thousands are ``sync=BATCH``:
    the driver writes one document of them all, and a turn looks at none of them.
    """

    slug: str
    prefix: str
    singular: Text
    plural: Text
    spec: type[Spec]
    nature: Nature = Nature.DESIRED
    icon: str = "box"
    help: Text = ""
    empty: Text = ""
    verbs: tuple[str, ...] = ("create", "delete")
    name_pattern: str = r"[a-z]([a-z0-9_-]{0,61}[a-z0-9])?"
    generated_name: bool = False  # the platform names them (backups)
    reserved_names: frozenset[str] = frozenset()
    credential: bool = False
    limit: int = 100
    lane: str = ""  # empty: each child its own lane; else all share this one
    deadline_seconds: int = 120
    columns: tuple[tuple[str, Text], ...] = ()  # (fact or spec field, heading) shown in the table
    initial: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    protected: Callable[[Any], Text] | None = None
    sync: Sync = Sync.EACH

    @property
    def is_batch(self) -> bool:
        return self.sync is Sync.BATCH


@dataclass(frozen=True, slots=True)
class Part:
    """A service that another one brings along for its own use, seen by its driver as the link ``role``.

    It is made, stopped and deleted with its owner, is hidden from lists, and counts for limits, prices and bill.
    """

    role: str
    offering: str
    plan: str
    version: str = ""  # empty: the default line
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verb:
    """Something to do with a whole service. The engine knows what each means; the offering says which it offers."""

    slug: str
    name: Text
    icon: str
    permission: str = "service.operate"
    deadline_seconds: int = 300
    needs_running: bool = True
    help: Text = ""


RESTART = Verb("restart", _("Restart"), "refresh-cw")
STOP = Verb("stop", _("Stop"), "square", help=_("Compute is no longer billed; data and address are kept."))
START = Verb("start", _("Start"), "play", needs_running=False)
RESIZE = Verb("resize", _("Resize"), "move-diagonal", "service.spend", needs_running=False)
UPGRADE = Verb("upgrade", _("Upgrade"), "circle-arrow-up", needs_running=False, deadline_seconds=600)
RESTORE = Verb("restore", _("Restore"), "history", "service.spend", needs_running=False, deadline_seconds=3600)
FORK = Verb("fork", _("Fork"), "git-fork", "service.spend", deadline_seconds=3600)


@dataclass(frozen=True, slots=True)
class Metric:
    """A series on the Metrics tab. ``sources`` are names in a sample that are drawn together."""

    slug: str
    name: Text
    unit: str  # "percent", "bytes", "count", "per_second"
    sources: tuple[tuple[str, Text], ...]
    help: Text = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long it takes until a new service runs: usually, and before the order is said to have failed."""

    expected_seconds: int
    deadline_seconds: int


@dataclass(frozen=True, slots=True)
class Offering:
    """One managed service, as declared by its family."""

    slug: str
    family: str
    name: str
    summary: Text
    versions: tuple[Version, ...]
    plans: tuple[Plan, ...]
    spec: type[Spec]
    meters: tuple[Meter, ...]
    capabilities: Capabilities
    drivers: Mapping[str, Driver]
    children: tuple[ChildKind, ...] = ()
    verbs: tuple[Verb, ...] = ()
    metrics: tuple[Metric, ...] = ()
    keywords: tuple[str, ...] = ()  # what people type when they look for it: "cache", "Redis"
    description: Text = ""
    docs: str = ""
    icon: str = "box"
    port_hint: int = 0
    packages: Callable[[str], tuple[str, ...]] | None = None  # engine packages a release needs on this machine
    compatible_with: str = ""  # "Redis": shown where the engine is a compatible one and not the named product
    licence: str = ""
    licence_notice: Text = ""
    spec_version: int = 1
    upgrade_spec: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None
    quantities: Callable[[Plan, Any], Mapping[str, Decimal]] | None = None
    helpers: Callable[[Plan, Any], Footprint] | None = None  # what runs beside the nodes, not in the plan's size
    create_deadline_seconds: int = 300
    expected_seconds: int = 20
    paces: Mapping[str, Pace] = field(default_factory=dict)  # by backend, where it is another
    restarts: Mapping[str, Restart] = field(default_factory=dict)  # by backend; without one nothing is promised
    isolation: str = "project"  # or "service": on Kubernetes it has a namespace of its own
    restores_in_place: tuple[str, ...] = ("local",)  # backends that put a backup in the place of a service's own data
    parts: Callable[[Plan, Any], tuple[Part, ...]] | None = None  # of a plan and a spec: the services it brings along
    conflicts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # lane -> lanes that must be idle

    def pace(self, backend: str) -> Pace:
        """Return how long an order takes on one kind of cluster."""
        return self.paces.get(backend) or Pace(self.expected_seconds, self.create_deadline_seconds)

    def restart(self, backend: str) -> Restart:
        """Return what a restart on one kind of cluster does to connections."""
        return self.restarts.get(backend, Restart())

    def version(self, text: str) -> tuple[Version, str] | None:
        """Return the line and exact release that ``text`` names: ``17`` means its newest release."""
        for version in self.versions:
            if text == version.line:
                return version, version.newest
            if text in version.releases:
                return version, text
        return None

    @property
    def has_links(self) -> bool:
        """Whether a field of the spec names another service, or it brings some along."""
        return self.parts is not None or any(meta_of(info).ref for info in self.spec.model_fields.values())

    @property
    def default_version(self) -> Version:
        return next((version for version in self.versions if version.default), self.versions[0])

    def plan(self, slug: str) -> Plan | None:
        return next((plan for plan in self.plans if plan.slug == slug), None)

    @property
    def default_plan(self) -> Plan:
        """Return the smallest paid plan, else the smallest."""
        return next((plan for plan in self.plans if not plan.free), self.plans[0])

    def child(self, slug: str) -> ChildKind | None:
        return next((kind for kind in self.children if kind.slug == slug), None)

    def verb(self, slug: str) -> Verb | None:
        return next((verb for verb in self.verbs if verb.slug == slug), None)

    @property
    def credentials_kind(self) -> ChildKind | None:
        return next((kind for kind in self.children if kind.credential), None)

    def billed(self, plan: Plan, spec: Spec) -> dict[str, Decimal]:
        """Return the rate of each meter while running: seconds per second, or GiB seconds per second."""
        if self.quantities is not None:
            return dict(self.quantities(plan, spec))
        disk = Decimal(getattr(spec, "disk_gib", None) or plan.disk_gib)
        rates = {meter.slug: Decimal(plan.nodes) for meter in self.meters if meter.component == "compute"}
        rates |= {meter.slug: disk * plan.nodes for meter in self.meters if meter.component == "storage"}
        return rates

    def nodes(self, plan: Plan, spec: Spec) -> int:
        """Return how many nodes a service has: as many as are billed."""
        return int(self.billed(plan, spec).get(INSTANCE_SECONDS.slug, plan.nodes))

    def footprint(self, plan: Plan, spec: Spec) -> Footprint:
        """Return what a service takes of limits: as many nodes and GiB of disk as are billed, and its helpers."""
        rates = self.billed(plan, spec)
        nodes = rates.get(INSTANCE_SECONDS.slug, Decimal(plan.nodes))
        disk = rates.get(STORAGE_GIB_SECONDS.slug, Decimal(plan.disk_gib) * nodes)
        own = Footprint(plan.cpu * nodes, math.ceil(plan.memory_mib * nodes), math.ceil(disk))
        return own + self.helpers(plan, spec) if self.helpers else own

    def load_spec(self, stored: dict[str, Any], spec_version: int) -> Spec:
        """Read a stored spec, brought up to today's schema where it is an older one."""
        if spec_version < self.spec_version and self.upgrade_spec is not None:
            stored = self.upgrade_spec(spec_version, dict(stored))
        return specs.load(self.spec, stored)


def child_key(kind: str, child_id: uuid.UUID) -> str:
    """Name a child's lane."""
    return f"{kind}:{child_id}"
