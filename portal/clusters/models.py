"""Regions, the clusters in them, and what a local cluster has handed out."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core.ids import uuid7


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
    # What discovery found: {"packages": {"postgresql-17.10": ""}, "isolation": true, "problems": [...]}
    capabilities = models.JSONField(default=dict, blank=True)
    discovered_at = models.DateTimeField(null=True, blank=True)
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
