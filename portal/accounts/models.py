"""People, their one-time sign-in links, and API tokens."""

import hashlib
import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from portal.core import ids

MACHINES = "machines.invalid"  # no mail ever goes to this domain (RFC 2606)


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a person; without a password they sign in by link."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_machine(self, *, name: str, organization_id: uuid.UUID) -> "User":
        """Make a service account of an organization: it has tokens and roles, and no way to sign in."""
        key = ids.uuid7()
        email = f"{key.hex}@{MACHINES}"
        user = self.model(id=key, email=email, name=name, machine_of=organization_id)
        user.set_unusable_password()
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make an operator of the provider."""
        return self.create_user(email, password, is_operator=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in, or a service account: what has roles and tokens (decision 0010).

    ``is_operator`` and ``is_support`` are the provider's roles (DESIGN 11). ``machine_of`` is the id of the
    organization that a service account belongs to; a person has none. ``erased_at``: this row's personal data is gone.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_operator = models.BooleanField(default=False)
    is_support = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    machine_of = models.UUIDField(null=True, blank=True, db_index=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "email"
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_per_email")]

    def __str__(self) -> str:
        return self.label

    @property
    def public_id(self) -> str:
        return ids.encode("sa" if self.is_machine else "user", self.id)

    @property
    def is_machine(self) -> bool:
        """Whether this is a service account."""
        return self.machine_of is not None

    @property
    def label(self) -> str:
        """What people call it: a mail address, or the name of a service account."""
        return self.name if self.is_machine else self.email

    @property
    def may_sign_in(self) -> bool:
        """Whether this is somebody with a way in: a person, not shut out, not erased."""
        return self.is_active and not self.is_machine and self.erased_at is None

    @property
    def is_staff(self) -> bool:
        """Whether the admin site opens."""
        return self.is_operator or self.is_support


class SignInLink(models.Model):
    """A one-time way in: stored hashed, used once, within ten minutes, confirmed by POST."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.user} until {self.expires_at:%H:%M}"


class ApiToken(models.Model):
    """A bearer token: shown once, stored as a digest. ``scopes`` empty means all that its user may do.

    ``created_by`` is the person who made it for a service account, and nobody for a person's own.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    hint = models.CharField(max_length=16)  # first characters, to recognize it by
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = "API token", "API tokens"
        ordering = ["-id"]
        indexes = [models.Index(fields=["user", "-id"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @property
    def public_id(self) -> str:
        return ids.encode("tok", self.id)

    @property
    def is_alive(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


def digest(secret: str) -> str:
    """Return what is stored of a link or token; they are long and random, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
