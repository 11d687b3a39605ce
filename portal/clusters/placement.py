"""Where an offering can run, and why not elsewhere: read from what discovery found, never from a cluster itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.core.offerings import Offering, Plan


@dataclass(frozen=True, slots=True)
class Place:
    """One cluster's answer for an offering's release: ``reason`` is empty where it can be ordered."""

    cluster: Cluster
    reason: str | Promise = ""

    @property
    def usable(self) -> bool:
        return not self.reason


def enabled_clusters() -> list[Cluster]:
    """Return the clusters that take orders, with their regions."""
    return list(Cluster.objects.filter(enabled=True).select_related("region"))


def places(
    offering: Offering, clusters: Iterable[Cluster], *, release: str | None = None, plan: Plan | None = None
) -> list[Place]:
    """Return each cluster with its reason against this offering, release and plan."""
    return [Place(cluster, _reason(offering, cluster, release, plan)) for cluster in clusters]


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
