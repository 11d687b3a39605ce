"""Regions with what is stated of them, and clusters, in the admin site: what operators do has a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.messages import warning
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from portal.accounts.actors import actor_of
from portal.clusters import actions, sovereignty
from portal.clusters.models import Cluster, Region, SovereigntyFact
from portal.core.admin import ReadOnlyAdmin, ReadOnlyInline, operator_action
from portal.core.attention import needs_a_look
from portal.core.operator_forms import OperatorForm, operator_form


class FactForm(OperatorForm):
    """Something to be stated of a region."""

    kind = forms.ChoiceField(label=_("Kind"), choices=SovereigntyFact.Kind.choices)
    value = forms.CharField(label=_("What holds"), max_length=sovereignty.LONGEST_VALUE)
    document = forms.URLField(
        label=_("Document"),
        max_length=sovereignty.LONGEST_DOCUMENT,
        assume_scheme="https",
        help_text=_("The https address of what proves it. Customers follow it."),
    )
    stated_on = forms.DateField(label=_("Stated on"), widget=forms.DateInput(attrs={"type": "date"}))
    valid_until = forms.DateField(
        label=_("Holds until"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def prepare(self) -> None:
        """Begin with today."""
        self.fields["stated_on"].initial = timezone.now().date().isoformat()


@operator_form(_("State a fact"), FactForm)
def add_fact(request: HttpRequest, region: Region, form: FactForm) -> None:
    """State something of a region, which customers read."""
    data = dict(form.cleaned_data)
    reason = data.pop("reason")
    sovereignty.add_fact(actor_of(request), region=region, statement=sovereignty.Statement(**data), reason=reason)


@operator_action(_("Withdraw"))
def withdraw(request: HttpRequest, fact: SovereigntyFact, reason: str) -> None:
    """Say that a fact no longer holds."""
    sovereignty.withdraw_fact(actor_of(request), fact=fact, reason=reason)


@operator_action(_("Take orders"))
def enable(request: HttpRequest, cluster: Cluster, reason: str) -> None:
    """Have a cluster take orders again."""
    actions.set_enabled(actor_of(request), cluster=cluster, enabled=True, reason=reason)


@operator_action(_("Take no orders"))
def disable(request: HttpRequest, cluster: Cluster, reason: str) -> None:
    """Take a cluster off the order pages; what runs there goes on."""
    actions.set_enabled(actor_of(request), cluster=cluster, enabled=False, reason=reason)


@operator_action(_("Look now at what it can do"))
def discover(request: HttpRequest, cluster: Cluster, reason: str) -> None:
    """Have a cluster looked at at once."""
    for problem in actions.discover_now(actor_of(request), cluster=cluster, reason=reason):
        warning(request, problem)


class FactsInline(ReadOnlyInline):
    model = SovereigntyFact
    fields = ("kind", "value", "stated_on", "valid_until", "document", "withdrawn_at")


class ClustersInline(ReadOnlyInline):
    model = Cluster
    fields = ("name", "kind", "enabled", "discovered_at")


@admin.register(Region)
class RegionAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "country", "stated", "created_at")
    search_fields = ("slug", "name")
    fields = ("slug", "name", "country", "created_at")
    readonly_fields = ("created_at",)
    inlines = (FactsInline, ClustersInline)
    actions = (add_fact,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        return sovereignty.with_facts(super().get_queryset(request))

    @admin.display(description=_("facts that hold"))
    def stated(self, region: Region) -> int:
        return len(getattr(region, "holding_facts", []))


@admin.register(SovereigntyFact)
class SovereigntyFactAdmin(ReadOnlyAdmin):
    list_display = ("region", "kind", "value", "stated_on", "valid_until", "withdrawn_at")
    list_select_related = ("region",)
    list_filter = ("kind", "region", ("withdrawn_at", admin.EmptyFieldListFilter))
    search_fields = ("value", "document")
    readonly_fields = ("created_at",)
    actions = (withdraw,)


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin):
    list_display = ("name", "region", "kind", "enabled", "problems", "discovered_at")
    list_select_related = ("region",)
    list_filter = ("kind", "enabled", "region")
    search_fields = ("name",)
    fields = ("name", "region", "kind", "enabled", "problems", "what_it_can_do", "discovered_at", "created_at")
    readonly_fields = ("problems", "what_it_can_do", "created_at")
    actions = (enable, disable, discover)

    @admin.display(description=_("not as it should be"))
    def problems(self, cluster: Cluster) -> str:
        found: list[Any] = cluster.capabilities.get("problems") or []
        return "; ".join(map(str, found)) or "–"

    @admin.display(description=_("what it can do"))
    def what_it_can_do(self, cluster: Cluster) -> SafeString:
        """List what discovery found; packages with why they can't be had where that is so."""
        rows = [(name, value) for name, value in sorted(cluster.capabilities.items()) if name != "packages"]
        packages: dict[str, str] = cluster.capabilities.get("packages") or {}
        rows += [(name, why or _("can be had")) for name, why in sorted(packages.items())]
        return format_html_join("", "<p><b>{}</b>: {}</p>", rows)


@needs_a_look(_("Clusters that are down"), "clusters_cluster", icon="server", tone="danger")
def down() -> QuerySet[Cluster]:
    unwatched = Q(capabilities__supervised=False) | Q(discovered_at=None)
    return Cluster.objects.filter(unwatched, enabled=True)


@needs_a_look(_("Facts that end soon"), "clusters_sovereigntyfact", "withdrawn_at__isempty=1", icon="calendar")
def ending() -> QuerySet[SovereigntyFact]:
    return sovereignty.ending_soon()
