"""Customers (organizations), their workspaces (projects), and who belongs to them with which role."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from portal.core import ids


class OrganizationRole(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    BILLING = "billing", "Billing"
    AUDITOR = "auditor", "Auditor"
    MEMBER = "member", "Member"


class ProjectRole(models.TextChoices):
    ADMIN = "admin", "Admin"
    DEVELOPER = "developer", "Developer"
    VIEWER = "viewer", "Viewer"


class Organization(models.Model):
    """One customer. ``mfa_required``: its people need a second factor. ``closed_at``: nothing can be ordered here."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    slug = models.SlugField(unique=True, max_length=63)
    name = models.CharField(max_length=120)
    mfa_required = models.BooleanField(default=False)
    closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.encode("org", self.id)


class Project(models.Model):
    """A workspace of one customer. Slugs are unique over all customers, since they stand in paths."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="projects")
    slug = models.SlugField(unique=True, max_length=63)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.encode("proj", self.id)


class Membership(models.Model):
    """Somebody's role in an organization."""

    Role: ClassVar[type[OrganizationRole]] = OrganizationRole
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=OrganizationRole, default=OrganizationRole.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "organization"], name="one_role_per_organization")]

    def __str__(self) -> str:
        return f"{self.user} · {self.organization} · {self.role}"


class ProjectMembership(models.Model):
    """Somebody's role in one project."""

    Role: ClassVar[type[ProjectRole]] = ProjectRole
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="project_memberships")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=ProjectRole)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "project"], name="one_role_per_project")]

    def __str__(self) -> str:
        return f"{self.user} · {self.project} · {self.role}"


class Invitation(models.Model):
    """Asks the owner of a mail address into an organization: once, until it expires. Only the link's digest is kept.

    ``project_roles`` maps slugs of projects to the role to be had in each.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=OrganizationRole)
    project_roles = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.organization} · {self.role}"

    @property
    def public_id(self) -> str:
        return ids.encode("inv", self.id)


class Quota(models.Model):
    """How much of something an organization, or one project of it, may have; where no row says, ``quotas.DEFAULTS``.

    ``resource``: ``services``, ``vcpu``, ``memory_mib``, ``storage_gib``, or ``services:FAMILY``.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="quotas")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="quotas")
    resource = models.CharField(max_length=80)
    limit = models.PositiveBigIntegerField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["organization", "project", "resource"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "resource"], nulls_distinct=False, name="one_limit_per_resource"
            )
        ]

    def __str__(self) -> str:
        return f"{self.project or self.organization} · {self.resource} ≤ {self.limit}"


class QuotaRequest(models.Model):
    """Asks for more of something; an operator answers, which makes or changes the ``Quota``."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        GRANTED = "granted", _("Granted")
        REFUSED = "refused", _("Refused")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="quota_requests")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="quota_requests")
    resource = models.CharField(max_length=80)
    limit = models.PositiveBigIntegerField()
    reason = models.TextField(max_length=1000)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    answer = models.TextField(max_length=1000, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "resource"],
                condition=models.Q(state="open"),
                nulls_distinct=False,
                name="one_open_request_per_resource",
            )
        ]

    def __str__(self) -> str:
        return f"{self.project or self.organization} · {self.resource} → {self.limit}"

    @property
    def public_id(self) -> str:
        return ids.encode("qreq", self.id)
