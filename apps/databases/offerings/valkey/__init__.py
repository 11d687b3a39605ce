"""Managed Valkey: the declaration that everything else follows from."""

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from django.utils.translation import gettext_lazy as _

from apps.databases.offerings.valkey import nodes
from apps.databases.offerings.valkey.children import BACKUPS, USERS
from apps.databases.offerings.valkey.kubernetes.driver import KubernetesValkey
from apps.databases.offerings.valkey.local import LocalValkey
from apps.databases.offerings.valkey.metrics import METRICS
from apps.databases.offerings.valkey.plans import PLANS, VERSIONS, packages
from apps.databases.offerings.valkey.spec import ValkeySpec
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
    No,
    Offering,
    Pace,
    Plan,
    Yes,
)
from portal.core.restarts import Restart
from portal.core.specs import Spec

_HERE = "apps/databases/offerings/valkey"
_K8S = ("kubernetes",)
_NO_BACKUPS = No(_("The operator makes no backups."), "https://github.com/valkey-io/valkey-operator")


def _quantities(plan: Plan, spec: Spec) -> Mapping[str, Decimal]:
    """Return what is billed each second: an instance and a disk for each node; a disk is never below the plan's."""
    asked = cast(ValkeySpec, spec)
    count = nodes.count(plan, asked)
    disk = max(asked.disk_gib or 0, plan.disk_gib)
    return {INSTANCE_SECONDS.slug: Decimal(count), STORAGE_GIB_SECONDS.slug: Decimal(disk) * count}


OFFERING = Offering(
    slug="valkey",
    family="databases",
    name="Valkey",
    summary=_("An in-memory store that speaks the Redis protocol: cache, queue, counters, pub/sub."),
    description=_(
        "A Valkey of your own, lines 8 and 9: encrypted connections, logins that see only their keys and channels, "
        "persistence as you choose it, replicas to read from and to promote, or a cluster of three nodes."
    ),
    versions=VERSIONS,
    plans=PLANS,
    spec=ValkeySpec,
    meters=(INSTANCE_SECONDS, STORAGE_GIB_SECONDS),
    quantities=_quantities,
    capabilities=Capabilities(
        stop=Yes(_("Address and logins are kept, and what is persisted; compute is not billed.")),
        resize=Yes(_("By a restart; disks only grow.")),
        minor_upgrade=Yes(_("Within a line, by a restart.")),
        major_upgrade=No(
            _("An upgrade stays within a line. Copy the keys to a service of the next line, which reads older dumps."),
            _HERE,
        ),
        backup=Yes(
            _("Dumps on demand, checked, downloadable; of a cluster one of each node."),
            ("local",),
            otherwise=_NO_BACKUPS,
        ),
        restore=Yes(_("Into a new service or over the same one, within a line."), ("local",), otherwise=_NO_BACKUPS),
        pitr=No(_("The engine's log is rewritten as it grows; a restore goes to the moment of a backup."), _HERE),
        replicas=Yes(
            _("Up to two, to read from and to promote by the setting “Primary node”."),
            ("local",),
            otherwise=Yes(_("Up to two, each on a machine of its own; for clients that know clusters."), _K8S),
        ),
        high_availability=Yes(
            _("With replicas one of them takes over by itself; clients that know clusters follow."),
            _K8S,
            otherwise=No(
                _("On one machine a crashed node is started again, and a replica takes over when you say so."), _HERE
            ),
        ),
        users=Yes(_("Logins with admin, write or read access to patterns of keys and channels.")),
        rotation=Yes(_("A successor beside the old login: both work until you complete the exchange.")),
        tls=Yes(
            _("TLS 1.2 and 1.3 by a front, also of a cluster's nodes; plain connections are refused."),
            ("local",),
            otherwise=Yes(
                _("By an authority of the service's own. Several nodes send clients on by address, not by name."), _K8S
            ),
        ),
        allow_list=Yes(
            _("Networks that may connect, from the next connection on."),
            ("local",),
            otherwise=No(_("The address leads into the project's own namespace alone."), _HERE),
        ),
        metrics=Yes(
            _("Live, of the last hour; of a cluster those of the first node."),
            ("local",),
            otherwise=kubernetes_capabilities.METRICS,
        ),
        logs=Yes(
            _("The logs of all nodes and of the front, newest lines."),
            ("local",),
            otherwise=kubernetes_capabilities.LOGS,
        ),
    ),
    children=(USERS, BACKUPS),
    verbs=(RESTART, STOP, START, RESIZE, UPGRADE, RESTORE, FORK),
    metrics=METRICS,
    drivers={"local": LocalValkey(), "kubernetes": KubernetesValkey()},
    keywords=("cache", "redis", "key-value", "queue", "pubsub", "session", "in-memory", "lua", "streams", "broker"),
    docs="https://valkey.io/docs/",
    icon="zap",
    port_hint=6379,
    packages=packages,
    compatible_with="Redis",
    licence="BSD-3-Clause",
    create_deadline_seconds=600,
    expected_seconds=5,
    paces={"kubernetes": Pace(90, 1800)},
    restarts={"local": Restart(seconds=5)},
)
