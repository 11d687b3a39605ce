"""Databases as rows: proxies of the one table of services, for the admin site and for this family's queries."""

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.resources.models import Resource
from portal.resources.querysets import ResourceQuerySet

if TYPE_CHECKING:
    Manager = models.Manager["Resource"]
else:
    Manager = models.Manager.from_queryset(ResourceQuerySet)


class PostgresqlManager(Manager):
    """Keeps to the services of this offering."""

    def get_queryset(self) -> ResourceQuerySet:
        return ResourceQuerySet(self.model, using=self._db).filter(offering_slug="postgresql")


class PostgresqlService(Resource):
    """A PostgreSQL: the same row as its ``Resource``."""

    objects = PostgresqlManager()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        verbose_name = _("PostgreSQL service")
        verbose_name_plural = _("PostgreSQL services")


class ValkeyManager(Manager):
    """Keeps to the services of this offering."""

    def get_queryset(self) -> ResourceQuerySet:
        return ResourceQuerySet(self.model, using=self._db).filter(offering_slug="valkey")


class ValkeyService(Resource):
    """A Valkey: the same row as its ``Resource``."""

    objects = ValkeyManager()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        verbose_name = _("Valkey service")
        verbose_name_plural = _("Valkey services")
