"""What can be ordered where, at which price: from declarations, discovery and the price book, in few queries."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.clusters.placement import Place, enabled_clusters, keeps_backups, places
from portal.core import registry
from portal.core.offerings import Offering, Plan
from portal.core.pricing import Price, pricer
from portal.core.specs import Spec
from portal.resources.parts import price_with_parts


@dataclass(frozen=True, slots=True)
class Card:
    """One offering as the catalog shows it."""

    offering: Offering
    family: str
    price_from: Price | None
    places: tuple[Place, ...]

    @property
    def orderable(self) -> bool:
        return any(place.usable for place in self.places)

    @property
    def regions(self) -> list[str]:
        """Return the names of the regions where it can be ordered."""
        return sorted({place.cluster.region.name for place in self.places if place.usable})

    @property
    def reason(self) -> str:
        """Return why it can't be ordered anywhere, for people to read."""
        if not self.places:
            return _("There is no region yet.")
        if self.orderable:
            return ""
        nearest = next((place for place in self.places if place.missing), self.places[0])
        return str(nearest.reason)

    @property
    def missing(self) -> list[str]:
        """Return what operators would have to bring where, so that it can be ordered there."""
        where: dict[str, list[str]] = {}
        for place in self.places:
            where.setdefault(place.missing, []).append(place.cluster.name)
        return [f"{', '.join(names)}: {missing}" for missing, names in where.items() if missing]


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """A plan as the order page shows it: its price, and why it can't be had here, where that is so."""

    plan: Plan
    price: Price
    reason: str = ""
    keeps_backups: bool = True


def cards(*, text: str = "", family: str = "") -> list[Card]:
    """Return the catalog's cards that match a search: by name, summary, what it is compatible with, or keyword."""
    clusters, names = enabled_clusters(), registry.families()
    found = [offering for offering in registry.offerings().values() if _matches(offering, text, family)]
    return [_card(offering, clusters, names) for offering in sorted(found, key=lambda o: o.name.lower())]


def card(offering: Offering) -> Card:
    return _card(offering, enabled_clusters(), registry.families())


def _card(offering: Offering, clusters: list[Cluster], names: dict[str, str]) -> Card:
    family = names.get(offering.family, offering.family)
    return Card(offering, family, pricer().price_from(offering), tuple(places(offering, clusters)))


def _matches(offering: Offering, text: str, family: str) -> bool:
    if family and offering.family != family:
        return False
    own = (offering.slug, offering.name, str(offering.summary), offering.compatible_with, offering.family)
    words = " ".join([*own, *offering.keywords]).lower()
    return all(word in words for word in text.lower().split())


def grouped(found: Iterable[Card]) -> dict[str, list[Card]]:
    """Return the cards by family, for the page's sections."""
    groups: dict[str, list[Card]] = {}
    for item in found:
        groups.setdefault(item.family, []).append(item)
    return groups


def plan_choices(
    offering: Offering, spec: Spec, cluster: Cluster | None, *, release: str | None = None
) -> list[PlanChoice]:
    """Return every plan with its price for these settings, in one cluster."""
    region = cluster.region.slug if cluster else ""
    keeps = cluster is None or keeps_backups(offering, cluster)
    return [
        PlanChoice(
            plan,
            price_with_parts(offering, plan, spec, region=region),
            _reason(offering, plan, cluster, release),
            keeps,
        )
        for plan in offering.plans
    ]


def _reason(offering: Offering, plan: Plan, cluster: Cluster | None, release: str | None) -> str:
    return str(places(offering, [cluster], release=release, plan=plan)[0].reason) if cluster else ""


def unavailable_versions(offering: Offering, clusters: list[Cluster]) -> dict[str, str]:
    """Return the lines that none of these clusters can get, each with the reason of the first."""
    answers = {v.line: places(offering, clusters, release=v.newest) for v in offering.versions}
    return {line: str(found[0].reason) for line, found in answers.items() if found and not any(p.usable for p in found)}
