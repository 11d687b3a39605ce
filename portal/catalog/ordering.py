"""The order page as a value: its two forms, and what stands beside them (plans with prices, the summary, warnings)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.actors import actor_of
from portal.catalog import queries
from portal.catalog.forms import OrderForm
from portal.clusters.models import Cluster
from portal.clusters.placement import enabled_clusters, places
from portal.core import specs
from portal.core.forms import SpecForm, spec_form
from portal.core.offerings import Offering, Plan, Version
from portal.core.specs import Spec, meta_of
from portal.projects.access import own_projects
from portal.projects.models import Project
from portal.resources.actions import OrderRequest
from portal.resources.models import Resource
from portal.resources.quotas import Effect, effects, planned

OFFERED = 500  # services in a field that names one, the newest; others are named by the API
TRIED = 30  # names that are looked for before a random one is proposed


@dataclass(slots=True)
class OrderPage:
    """All that the order page needs, built once per request."""

    offering: Offering
    projects: list[Project]
    clusters: list[Cluster]
    form: OrderForm
    spec_form: SpecForm

    @classmethod
    def of(cls, request: HttpRequest, offering: Offering) -> "OrderPage":
        """Read the page from a request: bound where it is a POST, with good defaults where it is not."""
        actor = actor_of(request)
        projects = list(own_projects(actor, "service.create").select_related("organization"))
        clusters = [place.cluster for place in places(offering, enabled_clusters()) if place.usable]
        data = request.POST if request.method == "POST" else None
        current = request.session.get("project", "")
        initial = _initial(request, offering, projects, clusters, current)
        form = OrderForm(offering, projects=projects, clusters=clusters, data=data, initial=initial)
        references = _references(offering, projects)
        kinds = {cluster.kind for cluster in clusters}
        settings = spec_form(offering.spec, data=data, references=references, backends=kinds)
        return cls(offering, projects, clusters, form, settings)

    def is_valid(self) -> bool:
        """Check both forms, so that every wrong field is named at once."""
        return all([self.form.is_valid(), self.spec_form.is_valid()])

    def request(self) -> OrderRequest:
        """Return the order; only for valid forms."""
        data = self.form.cleaned_data
        return OrderRequest(
            name=data["name"],
            offering=self.offering.slug,
            version=data["version"],
            plan=data["plan"],
            region=data["region"],
            spec=self.spec_form.cleaned_spec(),
            tags=data["tags"],
            acknowledge=("end_of_support",) if data["acknowledge"] else (),
            protected=data["protected"],
        )

    def context(self) -> dict[str, Any]:
        """Return what the template shows."""
        plan, version, cluster = self.plan(), self.version(), self.cluster()
        choices = queries.plan_choices(self.offering, self.spec(), cluster, release=version.newest)
        chosen = next((choice for choice in choices if choice.plan == plan), choices[0])
        return {
            "offering": self.offering,
            "form": self.form,
            "spec_form": self.spec_form,
            "plans": choices,
            "chosen": chosen,
            "version": version,
            "ended": version.ended(timezone.now().date()),
            "cluster": cluster,
            "expected": self.offering.pace(cluster.kind if cluster else "").expected_seconds,
            "card": queries.card(self.offering),
            "projects": self.projects,
            "quotas": self.quotas(),
        }

    def quotas(self) -> list[Effect]:
        """Return the limits of the chosen project that this order comes near to, or would pass."""
        project = next((project for project in self.projects if project.slug == self._value("project")), None)
        if project is None:
            return []
        takes = planned(self.offering, self.plan(), self.spec())
        return [effect for effect in effects(project, takes, {}) if effect.is_near]

    def _value(self, name: str) -> str:
        value = self.form.data.get(name) if self.form.is_bound else self.form.initial.get(name)
        return str(value or "")

    def plan(self) -> Plan:
        return self.offering.plan(self._value("plan")) or self.offering.default_plan

    def version(self) -> Version:
        found = self.offering.version(self._value("version"))
        return found[0] if found else self.offering.default_version

    def cluster(self) -> Cluster | None:
        region = self._value("region")
        return next((c for c in self.clusters if c.region.slug == region), self.clusters[0] if self.clusters else None)

    def spec(self) -> Spec:
        """Return the settings for the price: what the form holds where that is valid, else the defaults."""
        if self.spec_form.is_bound and self.spec_form.is_valid():
            checked, errors = specs.validate(self.offering.spec, self.spec_form.cleaned_spec())
            if checked is not None and not errors:
                return checked
        return self.offering.spec()


def _initial(
    request: HttpRequest, offering: Offering, projects: list[Project], clusters: list[Cluster], current: str
) -> dict[str, Any]:
    project = next((p for p in projects if p.slug == current), projects[0] if projects else None)
    plan = request.GET.get("plan", "")
    return {
        "name": free_name(offering.slug, project) if project else offering.slug,
        "project": project.slug if project else "",
        "region": _answering_first(clusters)[0].region.slug if clusters else "",
        "version": offering.default_version.line,
        "plan": plan if offering.plan(plan) else _smallest(offering, clusters).slug,
    }


def _answering_first(clusters: list[Cluster]) -> list[Cluster]:
    return sorted(clusters, key=lambda cluster: cluster.silent_since is not None)


def _smallest(offering: Offering, clusters: list[Cluster]) -> Plan:
    """Return the plan to begin with: the free one where there is one."""
    usable = [p for p in offering.plans if not clusters or places(offering, clusters[:1], plan=p)[0].usable]
    return next((plan for plan in usable if plan.free), offering.default_plan)


def free_name(base: str, project: Project) -> str:
    """Return the first of ``base``, ``base-2``, ``base-3`` … that the project does not have, or a random one."""
    candidates = [base, *(f"{base}-{number}" for number in range(2, TRIED + 1))]
    rows = Resource.objects.living().filter(project=project, owner=None, name__in=candidates)
    taken = set(rows.values_list("name", flat=True))
    return next((name for name in candidates if name not in taken), f"{base}-{secrets.token_hex(3)}")


def _references(offering: Offering, projects: list[Project]) -> Mapping[str, list[tuple[Any, Any]]]:
    """Return the services that may stand in each field that names one."""
    fields = {name: meta_of(info).ref for name, info in offering.spec.model_fields.items() if meta_of(info).ref}
    if not fields:
        return {}
    wanted = {slug for slugs in fields.values() for slug in slugs}
    rows = list(Resource.objects.listed().filter(project__in=projects, offering_slug__in=wanted)[:OFFERED])
    return {name: [(r.public_id, r.name) for r in rows if r.offering_slug in slugs] for name, slugs in fields.items()}
