"""Regions with what is stated of them, and clusters, in the admin site: what operators do has a reason."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.messages import warning
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.accounts.actors import actor_of
from portal.clusters import actions, adding, sovereignty
from portal.clusters.forms import AddForm, KubeconfigForm, SettingsForm
from portal.clusters.models import Cluster, Region, SovereigntyFact
from portal.clusters.placement import missing_kinds
from portal.core import registry
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


@operator_form(_("Add a Kubernetes cluster"), AddForm)
def add_cluster(request: HttpRequest, region: Region, form: AddForm) -> None:
    """Add a cluster to a region."""
    data = form.cleaned_data
    adding.add_cluster(
        actor_of(request),
        name=data["name"],
        region=region,
        kubeconfig=data["kubeconfig"],
        settings=form.settings(),
        reason=data["reason"],
        unchecked=data["unchecked"],
    )


@operator_form(_("Change its settings"), SettingsForm)
def change_settings(request: HttpRequest, cluster: Cluster, form: SettingsForm) -> None:
    """Change what is said of a cluster."""
    reason = form.cleaned_data["reason"]
    adding.change_settings(actor_of(request), cluster=cluster, settings=form.settings(), reason=reason)


@operator_form(_("Replace its kubeconfig"), KubeconfigForm)
def replace_kubeconfig(request: HttpRequest, cluster: Cluster, form: KubeconfigForm) -> None:
    """Reach a cluster by another address or account."""
    adding.replace_kubeconfig(actor_of(request), cluster=cluster, **form.cleaned_data)


@operator_action(_("Remove"))
def remove(request: HttpRequest, cluster: Cluster, reason: str) -> None:
    """Forget a cluster that serves nobody."""
    adding.remove_cluster(actor_of(request), cluster=cluster, reason=reason)


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
    actions = (add_fact, add_cluster)

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
    fields = ("region", "kind", "value", "document", "stated_on", "valid_until", "withdrawn_at", "created_at")
    readonly_fields = ("created_at",)
    actions = (withdraw,)

    def idle_actions(self, fact: SovereigntyFact) -> Iterable[str]:
        return ("withdraw",) if fact.withdrawn_at else ()


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin):
    list_display = ("name", "region", "kind", "enabled", "is_answering", "services", "flaws")
    list_select_related = ("region",)
    list_filter = ("kind", "enabled", ("silent_since", admin.EmptyFieldListFilter), "region")
    search_fields = ("name",)
    fields = (
        "name", "region", "kind", "enabled", "answers", "services", "problems", "missing", "said_of_it",
        "what_it_can_do", "discovered_at", "created_at",
    )  # fmt: skip
    readonly_fields = ("answers", "services", "problems", "missing", "said_of_it", "what_it_can_do", "created_at")
    actions = (enable, disable, discover, change_settings, replace_kubeconfig, remove)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cluster]:
        living = Count("resources", filter=Q(resources__purged_at=None))
        rows: QuerySet[Cluster] = super().get_queryset(request).defer("kubeconfig").annotate(living=living)
        return rows

    def idle_actions(self, cluster: Cluster) -> Iterable[str]:
        yield "enable" if cluster.enabled else "disable"
        if cluster.kind != Cluster.Kind.KUBERNETES:
            yield from ("change_settings", "replace_kubeconfig", "remove")

    @admin.display(description=_("answers"))
    def answers(self, cluster: Cluster) -> str:
        """Say since when it has been silent, what it said last and when it is asked again."""
        if cluster.silent_since is None:
            return gettext("Yes")
        words = gettext("Not since %(since)s: %(trouble)s")
        return words % {"since": formats.localize(timezone.localtime(cluster.silent_since)), "trouble": cluster.trouble}

    @admin.display(description=_("answers"), boolean=True)
    def is_answering(self, cluster: Cluster) -> bool:
        return cluster.silent_since is None

    @admin.display(description=_("services"))
    def services(self, cluster: Cluster) -> int:
        return int(getattr(cluster, "living", 0))

    @admin.display(description=_("flaws"))
    def flaws(self, cluster: Cluster) -> int | str:
        """Count what is not as it should be; the cluster's page has the words."""
        return len(cluster.capabilities.get("problems") or ()) or "–"

    @admin.display(description=_("not as it should be"))
    def problems(self, cluster: Cluster) -> str:
        found: list[Any] = cluster.capabilities.get("problems") or []
        return "; ".join(map(str, found)) or "–"

    @admin.display(description=_("what offerings miss here"))
    def missing(self, cluster: Cluster) -> SafeString | str:
        """List the offerings that could be sold here, each with what would have to be served for that."""
        could = [one for one in registry.offerings().values() if cluster.kind in one.drivers]
        rows = [(one.name, missing_kinds(one, cluster)) for one in could if cluster.kind == Cluster.Kind.KUBERNETES]
        return format_html_join("", "<p><b>{}</b>: {}</p>", [row for row in rows if row[1]]) or "–"

    @admin.display(description=_("settings"))
    def said_of_it(self, cluster: Cluster) -> SafeString | str:
        rows = [(name, _in_words(value)) for name, value in sorted(cluster.settings.items())]
        return format_html_join("", "<p><b>{}</b>: {}</p>", rows) or "–"

    @admin.display(description=_("what it can do"))
    def what_it_can_do(self, cluster: Cluster) -> SafeString:
        """List what discovery found; packages with why they can't be had where that is so."""
        apart = ("packages", "apis", "problems")
        rows = [(name, _in_words(value)) for name, value in sorted(cluster.capabilities.items()) if name not in apart]
        packages: dict[str, str] = cluster.capabilities.get("packages") or {}
        rows += [(name, why or gettext("can be had")) for name, why in sorted(packages.items())]
        apis: dict[str, list[str]] = cluster.capabilities.get("apis") or {}
        rows += [(name, ", ".join(kinds)) for name, kinds in sorted(apis.items())]
        return format_html_join("", "<p><b>{}</b>: {}</p>", rows)


def _in_words(value: Any) -> str:
    """Return something that discovery found as it is read, whatever its type."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    return "–" if value is None else str(value)


@needs_a_look(_("Clusters that are down"), "clusters_cluster", icon="server", tone="danger")
def down() -> QuerySet[Cluster]:
    unwatched = Q(capabilities__supervised=False) | Q(discovered_at=None) | Q(silent_since__isnull=False)
    return Cluster.objects.filter(unwatched, enabled=True)


@needs_a_look(_("Facts that end soon"), "clusters_sovereigntyfact", "withdrawn_at__isempty=1", icon="calendar")
def ending() -> QuerySet[SovereigntyFact]:
    return sovereignty.ending_soon()
