"""What was done, by whom, to what. Rows are written in the action's transaction and never changed.

Content is pseudonymous (ids and field names, no mail addresses), so that erasing a person leaves the rows whole.
``sealing`` gives each row its place in its organization's chain a few seconds later; the database refuses other writes.
"""

from django.db import models
from django.db.models import Q, Value

from portal.core import ids


class AuditEvents(models.QuerySet["AuditEvent"]):
    def unsealed(self) -> "AuditEvents":
        return self.filter(UNSEALED)


UNSEALED = Q(position__isnull=True, digest__isnull=True)
NOTHING = Value({}, models.JSONField())


class AuditEvent(models.Model):
    """One act. ``target`` is a URN, ``changes`` maps a field to its old and new value; secrets are never among them."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    organization_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    token_id = models.UUIDField(null=True)
    action = models.CharField(max_length=64)
    target_kind = models.CharField(max_length=32)
    target_id = models.UUIDField(null=True)
    target_name = models.CharField(max_length=128, blank=True)
    outcome = models.CharField(max_length=16, default="done")  # done, denied
    changes = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    # Set once, by sealing: the place in the chain (from 1), the digest before it and its own (SHA-256), and for each
    # personal column a commitment that stays and a salt that goes when the value is erased (hexadecimal).
    position = models.PositiveBigIntegerField(null=True, editable=False)
    previous = models.BinaryField(null=True, max_length=32)
    digest = models.BinaryField(null=True, max_length=32)
    salts = models.JSONField(default=dict, db_default=NOTHING, editable=False)
    commitments = models.JSONField(default=dict, db_default=NOTHING, editable=False)

    objects = AuditEvents.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization_id", "position"],
                condition=Q(position__isnull=False),
                nulls_distinct=False,  # rows of no organization are a chain too
                name="audit_one_row_a_place",
            )
        ]
        indexes = [
            models.Index(fields=["organization_id", "-id"]),
            models.Index(fields=["project_id", "-id"]),
            models.Index(fields=["target_id", "-id"]),
            models.Index(fields=["organization_id", "id"], condition=UNSEALED, name="audit_unsealed"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_name}"

    @property
    def public_id(self) -> str:
        return ids.encode("aud", self.id)

    @property
    def short_digest(self) -> str:
        return shortened(self.digest)


class Heads(models.QuerySet["Head"]):
    def running(self) -> "Heads":
        """Return how far each chain is sealed now."""
        return self.filter(day=None)


class Head(models.Model):
    """How far a chain is sealed now (no day), and how far it was when a day ended. No organization: the platform's."""

    organization_id = models.UUIDField(null=True)
    day = models.DateField(null=True)
    position = models.PositiveBigIntegerField()
    digest = models.BinaryField(max_length=32)
    at = models.DateTimeField()

    objects = Heads.as_manager()

    class Meta:
        ordering = ["-day", "organization_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization_id", "day"], nulls_distinct=False, name="audit_one_head_a_day"
            )
        ]
        indexes = [models.Index(fields=["organization_id"], condition=Q(day__isnull=True), name="audit_running_heads")]

    def __str__(self) -> str:
        return f"{self.day or 'now'} {self.position}"

    @property
    def short_digest(self) -> str:
        return shortened(self.digest)


def shortened(digest: bytes | memoryview | None) -> str:
    """Return the first characters of a digest, as people compare them; the whole stands in a head file."""
    return bytes(digest).hex()[:12] if digest else ""
