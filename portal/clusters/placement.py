"""Where an offering can run, and why not elsewhere: read from what discovery found, never from a cluster itself."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.core.drivers.kubernetes import KubernetesDriver, ObjectKind, driver_of
from portal.core.offerings import Offering, Plan

# Groups of Kubernetes itself, which every API server has; all others are there where an operator has brought them.
OWN_GROUPS = frozenset(
    ("", "apps", "autoscaling", "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io")
)


@dataclass(frozen=True, slots=True)
class Place:
    """One cluster's answer for an offering's release: ``reason`` is empty where it can be ordered.

    ``missing`` says to operators what would have to be there. A silent cluster takes orders, which wait for it.
    """

    cluster: Cluster
    reason: str | Promise = ""
    missing: str = ""

    @property
    def usable(self) -> bool:
        return not self.reason

    @property
    def is_silent(self) -> bool:
        return self.cluster.silent_since is not None


def enabled_clusters() -> list[Cluster]:
    """Return the clusters that take orders, with their regions; of one region the best to order from comes first."""
    clusters = list(Cluster.objects.filter(enabled=True).defer("kubeconfig").select_related("region"))
    of_region = Counter(cluster.region_id for cluster in clusters)
    several = [cluster for cluster in clusters if of_region[cluster.region_id] > 1]
    return _best_first(clusters, several) if several else clusters


def _best_first(clusters: list[Cluster], several: list[Cluster]) -> list[Cluster]:
    """Put those of one region in order: what answers before what is silent, then the one with the fewest services."""
    living = Count("resources", filter=Q(resources__purged_at=None))
    rows = Cluster.objects.filter(id__in=[cluster.id for cluster in several]).annotate(living=living)
    services = dict(rows.order_by().values_list("id", "living"))
    first: dict[object, int] = {}
    for number, cluster in enumerate(clusters):
        first.setdefault(cluster.region_id, number)
    return sorted(
        clusters,
        key=lambda one: (first[one.region_id], one.silent_since is not None, services.get(one.id, 0), one.name),
    )


def places(
    offering: Offering, clusters: Iterable[Cluster], *, release: str | None = None, plan: Plan | None = None
) -> list[Place]:
    """Return each cluster with its reason against this offering, release and plan."""
    return [_place(offering, cluster, release, plan) for cluster in clusters]


def _place(offering: Offering, cluster: Cluster, release: str | None, plan: Plan | None) -> Place:
    reason = _reason(offering, cluster, release, plan)
    if reason or cluster.kind != Cluster.Kind.KUBERNETES:
        return Place(cluster, reason)
    missing = missing_kinds(offering, cluster)
    return Place(cluster, _("not available in this region yet") if missing else "", missing)


def _reason(offering: Offering, cluster: Cluster, release: str | None, plan: Plan | None) -> str:
    if cluster.kind not in offering.drivers:
        return _("needs a Kubernetes region") if cluster.kind == Cluster.Kind.LOCAL else _("not served by this cluster")
    if plan is not None and cluster.kind not in plan.backends:
        return _("this plan needs a Kubernetes region")
    return _missing_packages(offering, cluster, release) if cluster.kind == Cluster.Kind.LOCAL else ""


def _missing_packages(offering: Offering, cluster: Cluster, release: str | None) -> str:
    """Return why this host can't get the engine; with no release asked, whether it can get the default one."""
    if offering.packages is None:
        return ""
    known: dict[str, str] = cluster.capabilities.get("packages", {})
    wanted = offering.packages(release or offering.default_version.newest)
    return next((known[key] for key in wanted if known.get(key)), "")


def missing_kinds(offering: Offering, cluster: Cluster) -> str:
    """Return to operators which kinds a Kubernetes cluster does not serve that an offering needs; empty: none."""
    driver = _kubernetes_driver(offering, cluster)
    absent = [kind.key for kind in driver.needs(cluster.settings) if not is_served(kind, cluster)] if driver else []
    if driver is None or not absent:
        return ""
    words = {"kinds": ", ".join(absent), "operator": driver.operator}
    return _("missing: %(kinds)s, served by %(operator)s") % words


def keeps_backups(offering: Offering, cluster: Cluster) -> bool:
    """Whether services there are backed up: by what the driver can, and by what the cluster's settings name."""
    driver = _kubernetes_driver(offering, cluster)
    is_possible = bool(offering.capabilities.backup.on(cluster.kind))
    return is_possible and (driver is None or driver.keeps_backups(cluster.settings))


def _kubernetes_driver(offering: Offering, cluster: Cluster) -> KubernetesDriver | None:
    return driver_of(offering.drivers) if cluster.kind == Cluster.Kind.KUBERNETES else None


def is_served(kind: ObjectKind, cluster: Cluster) -> bool:
    """Whether an API server has a kind, as discovery found it last."""
    apis: dict[str, list[str]] = cluster.capabilities.get("apis") or {}
    return kind.group in OWN_GROUPS or kind.kind in apis.get(kind.api_version, ())
