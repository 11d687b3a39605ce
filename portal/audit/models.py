"""What was done, by whom, to what. Rows are written in the action's transaction and never changed.

Content is pseudonymous (ids and field names, no mail addresses), so that erasing a person leaves the rows whole.
"""

from django.db import models

from portal.core import ids


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

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organization_id", "-id"]),
            models.Index(fields=["project_id", "-id"]),
            models.Index(fields=["target_id", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_name}"

    @property
    def public_id(self) -> str:
        return ids.encode("aud", self.id)
