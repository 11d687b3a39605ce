"""Sizes and release lines of Valkey. A plan's slug never changes its content: a change is a new slug."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from portal.core.offerings import Plan, Version

CLI = "valkey-8.1.8"  # the package that has valkey-cli, which works with every line
FRONT = "haproxy"

VERSIONS = (
    Version("9.1", ("9.1.2", "9.1.1"), default=True),
    Version("9.0", ("9.0.0",)),
    Version("8.1", ("8.1.8",)),
)

PLANS = (
    Plan(
        "free",
        _("Free"),
        Decimal("0.5"),
        memory_mib=256,
        disk_gib=1,
        backup_retention_days=1,
        free=True,
        summary=_("For trying things out."),
    ),
    Plan(
        "dev-1",
        _("Development 1"),
        Decimal(1),
        memory_mib=1024,
        disk_gib=5,
        backup_retention_days=3,
        summary=_("For development and tests."),
    ),
    Plan(
        "standard-4",
        _("Standard 4"),
        Decimal(2),
        memory_mib=4096,
        disk_gib=20,
        sla_percent=Decimal("99.5"),
        backup_retention_days=7,
        summary=_("One node for production that bears a restart."),
    ),
    Plan(
        "ha-8",
        _("High availability 8"),
        Decimal(2),
        memory_mib=8192,
        disk_gib=40,
        nodes=2,
        sla_percent=Decimal("99.5"),
        backup_retention_days=14,
        summary=_("A primary and a replica that can take its place."),
    ),
)


def packages(release: str) -> tuple[str, ...]:
    """Return the engine packages of a release: server, command line and the front that speaks TLS for it."""
    return tuple(dict.fromkeys((f"valkey-{release}", CLI, FRONT)))
