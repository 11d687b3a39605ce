"""Regions, the clusters in them, and what a local cluster has handed out."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core.ids import uuid7
from portal.core.vault import SealedText


class Region(models.Model):
    """A place that customers order in. ``slug`` is what they write; it never changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True, max_length=63)
    name = models.CharField(max_length=100)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 alpha-2")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_silent(self) -> bool:
        """Whether none of its clusters answers at the moment; of those that were read with it."""
        clusters = list(self.clusters.all())
        return bool(clusters) and all(cluster.silent_since for cluster in clusters)


class SovereigntyFact(models.Model):
    """Something that decides whether a region may be used, with the date it was stated and the document that says so.

    A fact that no longer holds is withdrawn, never edited: what a customer relied on stays readable.
    """

    class Kind(models.TextChoices):
        COUNTRY = "country", _("Country")
        OPERATOR = "operator", _("Operator")
        LEGAL_ENTITY = "legal_entity", _("Legal entity")
        CERTIFICATION = "certification", _("Certification")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    region = models.ForeignKey(Region, on_delete=models.CASCADE, related_name="facts")
    kind = models.CharField(max_length=16, choices=Kind)
    value = models.CharField(max_length=200)
    stated_on = models.DateField()
    valid_until = models.DateField(null=True, blank=True)
    document = models.URLField(max_length=500)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["region", "kind", "-stated_on"]

    def __str__(self) -> str:
        return f"{self.region} · {self.kind}: {self.value}"


class Cluster(models.Model):
    """Something that runs services: this machine (``local``) or a Kubernetes API server."""

    class Kind(models.TextChoices):
        LOCAL = "local", "This machine"
        KUBERNETES = "kubernetes", "Kubernetes"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="clusters")
    name = models.SlugField(unique=True, max_length=63)
    kind = models.CharField(max_length=16, choices=Kind)
    enabled = models.BooleanField(default=True)
    # What discovery found: {"packages": {"postgresql-17.10": ""}, "isolation": true, "problems": [...]}; of Kubernetes
    # instead of packages {"version": "1.36.3", "apis": {"postgresql.cnpg.io/v1": ["Cluster", ...]}}.
    capabilities = models.JSONField(default=dict, blank=True)
    discovered_at = models.DateTimeField(null=True, blank=True)
    # What an operator says of it, see ``backends.kubernetes.settings``: storage_class, prometheus_url …
    settings = models.JSONField(default=dict, blank=True)
    kubeconfig = SealedText(blank=True, editable=False)
    # A cluster that does not answer is left alone until ``retry_at``, by every process; ``trouble`` says what it said.
    silent_since = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    trouble = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PortReservation(models.Model):
    """A TCP port of a local cluster that belongs to one service, whether it runs or not."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="ports")
    port = models.PositiveIntegerField()
    handle = models.CharField(max_length=12)
    name = models.CharField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "port"], name="one_service_per_port"),
            models.UniqueConstraint(fields=["cluster", "handle", "name"], name="one_port_per_name"),
        ]

    def __str__(self) -> str:
        return f"{self.port} ({self.handle} {self.name})"


class Namespace(models.Model):
    """A namespace that the platform has made in a Kubernetes cluster; ``digest`` is of what was put into it last."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="namespaces")
    name = models.CharField(max_length=63)
    project_id = models.UUIDField()
    own = models.BooleanField(default=False)  # of one service alone, and goes with it
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "name"], name="one_row_per_namespace")]

    def __str__(self) -> str:
        return self.name


class Inventory(models.Model):
    """What one service has in a Kubernetes cluster, written down before it is sent there: nothing is ever orphaned.

    ``entries``: ``{"postgresql.cnpg.io/v1/Cluster/NAME": {"plural", "digest", "uid", "generation", "resource_version",
    "keep", "leaving"}}`` in the order of rendering; an entry without a ``uid`` may or may not have been made.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="inventories")
    handle = models.CharField(max_length=12)
    namespace = models.CharField(max_length=63)
    own_namespace = models.BooleanField(default=False)
    fence = models.PositiveBigIntegerField(default=0)
    generation = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)  # of all that was rendered last, once it is all applied
    entries = models.JSONField(default=dict)
    secrets = models.JSONField(default=dict)  # name of a generated secret -> [rotation, digest] as made last, or null
    leftovers = models.JSONField(default=list)  # [{kind…, selector}] that are swept once the objects are gone
    deleting = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "inventories"
        constraints = [models.UniqueConstraint(fields=["cluster", "handle"], name="one_inventory_per_service")]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.handle}"


class SeenObject(models.Model):
    """An object of a service as last seen, by a watch or as the answer to a write; only a newer one replaces it."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="seen")
    handle = models.CharField(max_length=12)
    kind = models.CharField(max_length=200)  # ObjectKind.key
    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=36)
    resource_version = models.PositiveBigIntegerField()
    content = models.JSONField()
    gone = models.BooleanField(default=False)  # kept for a while, so that an old answer does not bring it back
    seen_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["cluster", "handle"], name="seen_of_service")]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "kind", "namespace", "name"], name="one_row_per_seen_object")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Watch(models.Model):
    """One kind that is watched in one cluster. ``alive_at`` is fresh while what it has written can be relied on."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="watches")
    kind = models.CharField(max_length=200)  # ObjectKind.key
    resource_version = models.CharField(max_length=40, blank=True)
    alive_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "watches"
        constraints = [models.UniqueConstraint(fields=["cluster", "kind"], name="one_watch_per_kind")]

    def __str__(self) -> str:
        return self.kind
