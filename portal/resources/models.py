"""Services as rows: what is asked, what was seen, what was done. Customers know a Resource as a "service".

Only actions and the engine write here. The engine's end-of-turn write is conditional on its lease (``engine.py``).
"""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone

from portal.clusters.models import Cluster, Region
from portal.core import ids, registry
from portal.core.offerings import Offering, Plan
from portal.core.specs import Spec
from portal.projects.models import Project
from portal.resources import maintenance
from portal.resources.querysets import ChildQuerySet, OperationQuerySet, ResourceQuerySet


class State(models.TextChoices):
    """Where a service is in its life: one word, computed by ``states.state_of``."""

    PROVISIONING = "provisioning", "Provisioning"
    RUNNING = "running", "Running"
    UPDATING = "updating", "Updating"
    RESTORING = "restoring", "Restoring"
    STOPPING = "stopping", "Stopping"
    STOPPED = "stopped", "Stopped"
    STARTING = "starting", "Starting"
    DELETING = "deleting", "Deleting"
    DELETED = "deleted", "Deleted"
    FAILED = "failed", "Failed"
    PURGED = "purged", "Purged"


class Health(models.TextChoices):
    """How well it serves, apart from where it is in its life."""

    HEALTHY = "healthy", "Healthy"
    DEGRADED = "degraded", "Degraded"
    UNAVAILABLE = "unavailable", "Unavailable"
    UNKNOWN = "unknown", "Unknown"


class DeletionPolicy(models.TextChoices):
    BIN = "bin", "Keep for some days"
    WIPE = "wipe", "Remove at once"


# As ``querysets`` has them: indexes of lists hold what lists show.
LISTED = Q(purged_at__isnull=True, deleted_at__isnull=True, owner__isnull=True)
COUNTED = Q(purged_at__isnull=True, deletion_requested_at__isnull=True)
BINNED = Q(purged_at__isnull=True, deleted_at__isnull=False, owner__isnull=True)


class Resource(models.Model):
    """One customer's instance of an offering."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    handle = models.CharField(max_length=12, unique=True, default=ids.new_handle, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="resources")
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="resources")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="resources")
    owner = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="parts")
    role = models.CharField(max_length=63, blank=True)  # of a part, for its owner

    # asked
    offering_slug = models.CharField(max_length=63)
    version = models.CharField(max_length=32)
    release = models.CharField(max_length=32)
    name = models.CharField(max_length=63)
    description = models.CharField(max_length=500, blank=True)
    plan_slug = models.CharField(max_length=63)
    spec = models.JSONField(default=dict)
    spec_version = models.PositiveSmallIntegerField(default=1)
    tags = models.JSONField(default=dict, blank=True)
    vcpu = models.DecimalField(max_digits=12, decimal_places=3, default=0)  # this and the next two: see quotas.measure
    memory_mib = models.PositiveBigIntegerField(default=0)
    storage_gib = models.PositiveBigIntegerField(default=0)
    running = models.BooleanField(default=True)
    restarts = models.PositiveIntegerField(default=0)
    origin = models.JSONField(null=True, blank=True)  # see core.drivers.Origin
    protected = models.BooleanField(default=False)
    ip_allow_list = models.JSONField(default=list, blank=True)  # [{cidr, description}]; empty: from anywhere
    maintenance = models.JSONField(default=maintenance.usual)  # {day, start_utc}
    maintained_at = models.DateTimeField(null=True, blank=True)  # when the platform last began something in a window
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    deletion_policy = models.CharField(max_length=8, choices=DeletionPolicy, blank=True)
    purge_after = models.DateTimeField(null=True, blank=True)  # end of its days in the bin
    generation = models.PositiveIntegerField(default=1)
    revision = models.PositiveIntegerField(default=1)  # rises with what PATCH may change; the etag
    batches = models.JSONField(default=dict)  # batch kind -> revision of its document that is asked for

    # seen
    observed_generation = models.PositiveIntegerField(default=0)
    conditions = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State, default=State.PROVISIONING)
    health = models.CharField(max_length=16, choices=Health, default=Health.UNKNOWN)
    ready_once_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)  # in the bin since
    purged_at = models.DateTimeField(null=True, blank=True)

    # the engine's own
    next_reconcile_at = models.DateTimeField(null=True, default=timezone.now)
    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    fence = models.PositiveBigIntegerField(default=0, editable=False)
    failures = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.UUIDField(null=True, editable=False)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = "service", "services"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(deletion_requested_at__isnull=True, owner__isnull=True),
                name="one_living_service_per_name",
            ),
            models.UniqueConstraint(
                fields=["owner", "role"],
                condition=Q(owner__isnull=False, purged_at__isnull=True),
                name="one_part_per_role",
            ),
        ]
        indexes = [
            models.Index(fields=["next_reconcile_at"], condition=Q(next_reconcile_at__isnull=False), name="due"),
            models.Index(fields=["project", "id"], condition=LISTED, name="listed"),
            models.Index(fields=["project", "id"], condition=BINNED, name="binned"),
            models.Index(
                fields=["project"],
                include=["offering_slug", "vcpu", "memory_mib", "storage_gib"],
                condition=COUNTED,
                name="counted",
            ),
            models.Index(fields=["project", "name", "id"], name="by_name"),
            models.Index(fields=["name", "id"], condition=LISTED, name="by_name_anywhere"),
            models.Index(fields=["project", "state", "id"], condition=LISTED, name="by_state"),
            models.Index(fields=["project", "health", "id"], condition=LISTED, name="by_health"),
            models.Index(fields=["project", "offering_slug", "id"], condition=LISTED, name="by_offering"),
            models.Index(fields=["project", "plan_slug", "id"], condition=LISTED, name="by_plan"),
            GinIndex(fields=["tags"], name="by_tag"),
            GinIndex(
                OpClass(Upper("name"), "gin_trgm_ops"), OpClass(Upper("description"), "gin_trgm_ops"), name="by_words"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.encode("svc", self.id)

    @property
    def offering(self) -> Offering:
        """Return the declaration; a service whose offering left the code is a bug of the upgrade."""
        found = registry.offering(self.offering_slug)
        if found is None:
            raise LookupError(f"no offering {self.offering_slug!r} in this installation")
        return found

    @property
    def may_have_parts(self) -> bool:
        """Whether it may have brought other services along; one whose offering left the code still takes them away."""
        found = registry.offering(self.offering_slug)
        return found is None or found.parts is not None

    @property
    def plan(self) -> Plan:
        found = self.offering.plan(self.plan_slug)
        if found is None:
            raise LookupError(f"{self.offering_slug} has no plan {self.plan_slug!r}")
        return found

    def load_spec(self) -> Spec:
        return self.offering.load_spec(self.spec, self.spec_version)

    @property
    def etag(self) -> str:
        return f'"{self.revision}"'

    @property
    def is_settled(self) -> bool:
        return self.observed_generation >= self.generation

    @property
    def is_usable(self) -> bool:
        return self.health in ("healthy", "degraded")

    @property
    def in_bin(self) -> bool:
        return self.deleted_at is not None and self.purged_at is None


class Child(models.Model):
    """A part of a service that has a life of its own: database, user, backup."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="children")
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=63)
    spec = models.JSONField(default=dict)
    generation = models.PositiveIntegerField(default=1)
    observed_generation = models.PositiveIntegerField(default=0)
    conditions = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    state = models.CharField(max_length=16, default="pending")  # pending ready running succeeded failed cancelled gone
    cancel_requested = models.BooleanField(default=False)
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_by = models.UUIDField(null=True, editable=False)

    objects = ChildQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = "part", "parts"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["resource", "kind", "name"], name="one_child_per_name"),
        ]
        indexes = [
            models.Index(fields=["resource", "kind", "id"], name="children_of_kind"),
            models.Index(fields=["resource", "kind"], condition=~Q(state="ready"), name="children_not_ready"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        kind = self.resource.offering.child(self.kind)
        return ids.encode(kind.prefix if kind else "child", self.id)


class Link(models.Model):
    """One service uses another, in a role that a ``Ref`` field of its spec names."""

    source = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="links")
    target = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="used_by")
    role = models.CharField(max_length=63)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "role"], name="one_target_per_role")]

    def __str__(self) -> str:
        return f"{self.source} → {self.target} ({self.role})"


class Change(models.Model):
    """One line of history that billing reads: from when a service had which plan, spec, tags, and whether it ran."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="changes")
    at = models.DateTimeField()
    plan_slug = models.CharField(max_length=63)
    spec = models.JSONField(default=dict)
    spec_version = models.PositiveSmallIntegerField(default=1)
    running = models.BooleanField()
    present = models.BooleanField(default=True)  # False: gone for good, nothing is billed from here on
    tags = models.JSONField(default=dict)

    class Meta:
        ordering = ["resource", "at", "id"]
        indexes = [models.Index(fields=["resource", "at"])]

    def __str__(self) -> str:
        return f"{self.resource} {self.at:%Y-%m-%d %H:%M:%S}"


class Operation(models.Model):
    """What somebody started and can follow. The engine ends it; nothing stays running for ever."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        TIMED_OUT = "timed_out", "Timed out"

    OPEN: ClassVar[tuple[str, ...]] = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="operations")
    child = models.ForeignKey(Child, on_delete=models.SET_NULL, null=True, related_name="operations")
    child_name = models.CharField(max_length=63, blank=True)
    child_kind = models.CharField(max_length=32, blank=True)  # without a child's name: many of this kind
    type = models.CharField(max_length=32)
    lane = models.CharField(max_length=80, default="lifecycle")
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    generation = models.PositiveIntegerField()  # of the resource (or child) that this operation asks for
    steps = models.JSONField(default=list)
    message = models.CharField(max_length=500, blank=True)
    error = models.JSONField(null=True, blank=True)
    quote = models.JSONField(null=True, blank=True)
    expected_seconds = models.PositiveIntegerField(default=20)
    deadline_at = models.DateTimeField()
    requested_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["resource", "lane"],
                condition=Q(state__in=["queued", "running"]),
                name="one_open_operation_per_lane",
            ),
        ]
        indexes = [models.Index(fields=["resource", "-id"], name="operations_of_resource")]

    def __str__(self) -> str:
        return f"{self.type} {self.resource}"

    @property
    def public_id(self) -> str:
        return ids.encode("op", self.id)

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN


class Event(models.Model):
    """Something that happened to a service, in words for its customer: the activity list and an operation's log."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="events")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")  # the home page asks by it
    operation = models.ForeignKey(Operation, on_delete=models.SET_NULL, null=True, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    severity = models.CharField(max_length=8, default="normal")  # normal, warning
    reason = models.CharField(max_length=64)
    message = models.CharField(max_length=500)
    actor_id = models.UUIDField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["resource", "-id"], name="events_of_resource"),
            models.Index(fields=["project", "-id"], name="events_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Quote(models.Model):
    """A price that was told and holds until ``expires_at``; an operation may cite it."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, null=True)
    fingerprint = models.CharField(max_length=64)  # of what was asked: an order with other content is another quote
    body = models.JSONField()
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.UUIDField(null=True)

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return ids.encode("quo", self.id)


class IdempotencyKey(models.Model):
    """A request that was answered: the same key and body gets the same answer, for a day."""

    account = models.UUIDField()
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField(null=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="one_answer_per_key")]
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return self.key
