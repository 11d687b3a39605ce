"""What people and machines are told: mail, notifications in the console, webhooks with their deliveries, announcements.

People, organizations and projects are ids here: what they are is known further up. Secrets are ``SealedText``.
"""

import datetime
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.core import ids
from portal.core.vault import SealedText


class Mail(models.Model):
    """One mail to one address. ``sealed`` holds the whole message until it has been sent: there may be a link in it."""

    class State(models.TextChoices):
        KEPT = "kept", _("Kept here")  # there is no mail server
        QUEUED = "queued", _("On its way")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    recipient = models.EmailField()
    subject = models.CharField(max_length=200, blank=True)
    sealed = SealedText(blank=True)
    state = models.CharField(max_length=8, choices=State)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name, verbose_name_plural = "mail", "outbox"
        indexes = [models.Index(fields=["next_at"], condition=Q(state="queued"), name="mail_that_waits")]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"

    @property
    def public_id(self) -> str:
        return ids.encode("mail", self.id)


class Notification(models.Model):
    """What a person is told in the console. ``kind`` names its sentence, so that each reads it in their language."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    person_id = models.UUIDField()
    organization_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=40)
    params = models.JSONField(default=dict)
    link = models.CharField(max_length=300, blank=True)  # a path of the console
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["person_id", "-id"], name="notifications_of_person"),
            models.Index(fields=["person_id"], condition=Q(read_at=None), name="unread_notifications"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def public_id(self) -> str:
        return ids.encode("ntf", self.id)


class Preference(models.Model):
    """Where somebody wants to be told of a kind, where that is not what the kind says."""

    person_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    console = models.BooleanField()
    mail = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person_id", "kind"], name="one_preference_per_kind")]

    def __str__(self) -> str:
        return self.kind


class Webhook(models.Model):
    """Where an organization wants to be told by machine. ``event_types`` empty means all of them.

    ``retired`` is the secret before the last rotation; it signs as well until ``retired_until``. ``failing_since``:
    since when nothing could be delivered. ``is_slow``: it waits in the lane of those that are slow or fail.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    organization_id = models.UUIDField()
    project_id = models.UUIDField(null=True, blank=True)
    url = models.CharField(max_length=2100)
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField(default=list, blank=True)
    secret = SealedText()
    retired = SealedText(blank=True)
    retired_until = models.DateTimeField(null=True, blank=True)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=32, blank=True)  # gone, failing, or empty: somebody's wish
    failing_since = models.DateTimeField(null=True, blank=True)
    is_slow = models.BooleanField(default=False)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["organization_id", "-id"])]

    def __str__(self) -> str:
        return self.label

    @property
    def public_id(self) -> str:
        return ids.encode("whk", self.id)

    @property
    def host(self) -> str:
        """What may be shown of the address to all: its path is often a secret."""
        return urlsplit(self.url).hostname or ""

    @property
    def label(self) -> str:
        return self.description or self.host

    @property
    def old_secret_until(self) -> datetime.datetime | None:
        """Until when the secret before the last rotation signs as well; None where it does no more."""
        until = self.retired_until
        return until if self.retired and until is not None and until > timezone.now() else None

    @property
    def path(self) -> str:
        """Where the console shows it."""
        return f"/organizations/{ids.encode('org', self.organization_id)}/webhooks/{self.public_id}"


class Happening(models.Model):
    """Something that machines are told, written in the transaction in which it came about. ``data`` holds no secret."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    type = models.CharField(max_length=40)
    organization_id = models.UUIDField()
    project_id = models.UUIDField(null=True)
    subject = models.CharField(max_length=64, blank=True)  # public id of what it is about
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"

    @property
    def public_id(self) -> str:
        return ids.encode("evt", self.id)


class Delivery(models.Model):
    """A happening on its way to a webhook; claimed by lease and fence, and what is written at the end asks for both."""

    class State(models.TextChoices):
        PENDING = "pending", _("On its way")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Given up")
        DROPPED = "dropped", _("Dropped")  # the webhook was switched off before

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    # No constraint: one that is deleted at this moment must not undo the act that it was to be told of.
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False)
    happening = models.ForeignKey(Happening, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["webhook", "-id"]),
            models.Index(fields=["next_at"], condition=Q(state="pending"), name="deliveries_that_wait"),
        ]

    def __str__(self) -> str:
        return f"{self.happening_id} → {self.webhook_id}"

    @property
    def public_id(self) -> str:
        return ids.encode("dlv", self.id)

    @property
    def last_try(self) -> "Attempt | None":
        """The last try, of those that were prefetched."""
        return next(iter(reversed(list(self.tries.all()))), None)


class Attempt(models.Model):
    """One try of a delivery: the status that came back, or why none did. What was answered beside it is not kept."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    milliseconds = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.status or self.error}"


class Lane(models.Model):
    """Who delivers at the moment: one round at a time for webhooks that answer well, and one for the others."""

    name = models.CharField(max_length=8, primary_key=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class Announcement(models.Model):
    """What the provider tells everybody, or those with something in ``regions`` (slugs; empty means everybody)."""

    class Kind(models.TextChoices):
        BANNER = "banner", _("Notice")
        INCIDENT = "incident", _("Incident")
        MAINTENANCE = "maintenance", _("Maintenance")

    class Severity(models.TextChoices):
        INFO = "info", _("For information")
        WARNING = "warning", _("Impaired")
        CRITICAL = "critical", _("Outage")

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=Kind)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.INFO)
    title = models.CharField(max_length=120)
    text = models.TextField(max_length=2000, blank=True)
    regions = models.JSONField(default=list, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-starts_at", "-id"]
        indexes = [models.Index(fields=["-starts_at"])]

    def __str__(self) -> str:
        return self.title

    @property
    def public_id(self) -> str:
        return ids.encode("ann", self.id)

    @property
    def tone(self) -> str:
        return {"critical": "danger", "warning": "warning"}.get(self.severity, "info")

    @property
    def icon(self) -> str:
        return {"incident": "triangle-alert", "maintenance": "clock"}.get(self.kind, "info")

    def is_current(self, now: datetime.datetime) -> bool:
        """Whether it is to be shown on every page."""
        over = self.resolved_at is not None or (self.ends_at is not None and self.ends_at <= now)
        return self.starts_at <= now and not over


class AnnouncementUpdate(models.Model):
    """What became known of an announcement later."""

    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, related_name="updates")
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField(max_length=2000)
    created_by = models.UUIDField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.text[:60]
