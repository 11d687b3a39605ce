"""Managed PostgreSQL: the declaration that everything else follows from."""

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from django.utils.translation import gettext_lazy as _

from apps.databases.offerings.postgresql.children import BACKUPS, DATABASES, USERS
from apps.databases.offerings.postgresql.kubernetes.cluster import POOLER_CPU, POOLER_MEMORY_MIB, POOLER_NODES
from apps.databases.offerings.postgresql.kubernetes.driver import KubernetesPostgresql
from apps.databases.offerings.postgresql.local import LocalPostgresql
from apps.databases.offerings.postgresql.metrics import METRICS
from apps.databases.offerings.postgresql.plans import PLANS, VERSIONS, packages
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from portal.core import kubernetes_capabilities
from portal.core.offerings import (
    FORK,
    INSTANCE_SECONDS,
    RESIZE,
    RESTART,
    RESTORE,
    START,
    STOP,
    STORAGE_GIB_SECONDS,
    UPGRADE,
    Capabilities,
    Footprint,
    No,
    Offering,
    Pace,
    Plan,
    Yes,
)
from portal.core.restarts import Restart
from portal.core.specs import Spec

_HERE = "apps/databases/offerings/postgresql"
_K8S = ("kubernetes",)
_ONE_PROCESS = _("A local region runs one process on one machine.")


def _quantities(plan: Plan, spec: Spec) -> Mapping[str, Decimal]:
    """Return what is billed each second: an instance and a disk for each node; a disk is never below the plan's."""
    disk = max(cast(PostgresqlSpec, spec).disk_gib or 0, plan.disk_gib)
    return {
        INSTANCE_SECONDS.slug: Decimal(plan.nodes),
        STORAGE_GIB_SECONDS.slug: Decimal(disk) * plan.nodes,
    }


def _helpers(_plan: Plan, spec: Spec) -> Footprint:
    """Return what the pooler takes beside the nodes."""
    nodes = POOLER_NODES if cast(PostgresqlSpec, spec).pooler != "none" else 0
    return Footprint(POOLER_CPU * nodes, POOLER_MEMORY_MIB * nodes, 0)


OFFERING = Offering(
    slug="postgresql",
    family="databases",
    name="PostgreSQL",
    summary=_("The relational database that most applications begin with, and few outgrow."),
    description=_(
        "A PostgreSQL of your own, versions 14 to 18: encrypted connections, databases and users as you need them, "
        "backups that are read through after they are made, and releases that you move to when it suits you."
    ),
    versions=VERSIONS,
    plans=PLANS,
    spec=PostgresqlSpec,
    meters=(INSTANCE_SECONDS, STORAGE_GIB_SECONDS),
    quantities=_quantities,
    helpers=_helpers,
    capabilities=Capabilities(
        stop=Yes(_("Data, address and logins are kept; compute is not billed.")),
        resize=Yes(_("By a restart; disks only grow.")),
        minor_upgrade=Yes(_("Within a line, by a restart.")),
        major_upgrade=No(_("Not built yet: dump and restore into a new service of the next line."), _HERE),
        backup=Yes(
            _("Base backups on demand, verified, downloadable."),
            ("local",),
            otherwise=Yes(_("Each night and on demand, into a bucket of its own, where the region has a store."), _K8S),
        ),
        restore=Yes(
            _("Into a new service or over the same one, within a line."),
            ("local",),
            otherwise=Yes(_("Into a new service of the same line."), _K8S),
        ),
        pitr=Yes(
            _("To any moment since the oldest backup that is kept, into a new service."),
            _K8S,
            otherwise=No(_("The write-ahead log is not archived; a restore goes to the end of a backup."), _HERE),
        ),
        replicas=Yes(_("Plans with three nodes have an address for reading."), _K8S, otherwise=No(_ONE_PROCESS, _HERE)),
        high_availability=Yes(
            _("Plans with three nodes fail over by themselves, each node in a zone of its own."),
            _K8S,
            otherwise=No(_ONE_PROCESS, _HERE),
        ),
        users=Yes(
            _("Logins with owner, write or read access; never a superuser."),
            ("local",),
            otherwise=Yes(
                _("The same; one that is taken away is locked and stays in PostgreSQL without rights."), _K8S
            ),
        ),
        rotation=Yes(_("A successor beside the old login: both work until you complete the exchange.")),
        tls=Yes(
            _("TLS 1.2 and 1.3, verified against the region's authority; plain connections are refused."),
            ("local",),
            otherwise=Yes(_("By an authority of the service's own; plain connections are refused."), _K8S),
        ),
        allow_list=Yes(_("Networks that may connect, from the next connection on.")),
        metrics=Yes(
            _("Live, of the last hour."),
            ("local",),
            otherwise=kubernetes_capabilities.METRICS,
        ),
        logs=Yes(
            _("The engine's log, newest lines."),
            ("local",),
            otherwise=kubernetes_capabilities.LOGS,
        ),
    ),
    children=(DATABASES, USERS, BACKUPS),
    verbs=(RESTART, STOP, START, RESIZE, UPGRADE, RESTORE, FORK),
    metrics=METRICS,
    drivers={"local": LocalPostgresql(), "kubernetes": KubernetesPostgresql()},
    keywords=("sql", "relational", "database", "postgres", "pg", "psql", "rdbms", "oltp", "jsonb", "transactions"),
    docs="https://www.postgresql.org/docs/",
    icon="database",
    port_hint=5432,
    packages=packages,
    licence="PostgreSQL",
    create_deadline_seconds=600,
    expected_seconds=5,
    paces={"kubernetes": Pace(120, 1800)},
    restarts={"local": Restart(seconds=5), "kubernetes": Restart(switchover=True)},
)
