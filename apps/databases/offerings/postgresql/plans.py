"""Sizes and release lines of PostgreSQL. A plan's slug never changes its content: a change is a new slug."""

import datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from portal.core.offerings import Plan, Version

VERSIONING = "https://www.postgresql.org/support/versioning/"
TOOLS = "postgresql-tools-18.6"
KUBERNETES = ("kubernetes",)

VERSIONS = (
    Version("18", ("18.4", "18.3"), end_of_support=datetime.date(2030, 11, 14), source=VERSIONING),
    Version("17", ("17.10", "17.9"), default=True, end_of_support=datetime.date(2029, 11, 8), source=VERSIONING),
    Version("16", ("16.14", "16.13"), end_of_support=datetime.date(2028, 11, 9), source=VERSIONING),
    Version("15", ("15.18", "15.17"), end_of_support=datetime.date(2027, 11, 11), source=VERSIONING),
    Version("14", ("14.23", "14.22"), end_of_support=datetime.date(2026, 11, 12), source=VERSIONING),
)

PLANS = (
    Plan(
        "free",
        _("Free"),
        Decimal("0.5"),
        memory_mib=1024,
        disk_gib=1,
        backup_retention_days=1,
        free=True,
        summary=_("For trying things out."),
    ),
    Plan(
        "dev-2",
        _("Development 2"),
        Decimal(1),
        memory_mib=2048,
        disk_gib=20,
        backup_retention_days=3,
        summary=_("For development and tests."),
    ),
    Plan(
        "standard-4",
        _("Standard 4"),
        Decimal(2),
        memory_mib=4096,
        disk_gib=80,
        sla_percent=Decimal("99.5"),
        backup_retention_days=7,
        summary=_("One node for production that bears a restart."),
    ),
    Plan(
        "standard-8",
        _("Standard 8"),
        Decimal(2),
        memory_mib=8192,
        disk_gib=160,
        sla_percent=Decimal("99.5"),
        backup_retention_days=7,
        summary=_("One node with more memory."),
    ),
    Plan(
        "ha-8",
        _("High availability 8"),
        Decimal(2),
        memory_mib=8192,
        disk_gib=160,
        nodes=3,
        zones=3,
        sla_percent=Decimal("99.95"),
        backup_retention_days=14,
        backends=KUBERNETES,
        summary=_("Three nodes in three zones, with automatic failover."),
    ),
    Plan(
        "premium-16",
        _("Premium 16"),
        Decimal(4),
        memory_mib=16384,
        disk_gib=320,
        nodes=3,
        zones=3,
        sla_percent=Decimal("99.99"),
        backup_retention_days=30,
        backends=KUBERNETES,
        summary=_("Three large nodes in three zones."),
    ),
)


def line_of(release: str) -> int:
    """Return the major release of ``17.10`` as a number."""
    return int(release.partition(".")[0])


def packages(release: str) -> tuple[str, ...]:
    """Return the engine packages of a release: server, and the client tools that work with every line."""
    return (f"postgresql-{release}", TOOLS)
