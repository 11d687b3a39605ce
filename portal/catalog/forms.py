"""The order form: what every offering asks for. Its own settings come from its spec (``core.forms``)."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.catalog.queries import unavailable_versions
from portal.clusters.models import Cluster
from portal.core.offerings import Offering
from portal.projects.models import Project
from portal.resources.actions.checking import name_errors


class OrderForm(forms.Form):
    """Name, project, region, version and plan of an order."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=63,
        help_text=gettext_lazy("Lower-case letters, digits and hyphens. You can change it later."),
    )
    project = forms.ChoiceField(label=gettext_lazy("Project"))
    region = forms.ChoiceField(label=gettext_lazy("Region"))
    version = forms.ChoiceField(label=gettext_lazy("Version"))
    plan = forms.ChoiceField(label=gettext_lazy("Plan"))
    acknowledge = forms.BooleanField(
        label=gettext_lazy("I know that this version is no longer supported upstream"), required=False
    )
    protected = forms.BooleanField(label=gettext_lazy("Protect against deletion"), required=False)
    tags = forms.CharField(
        label=gettext_lazy("Tags"), required=False, max_length=4000, help_text=gettext_lazy("team=shop, env=dev")
    )

    def __init__(
        self,
        offering: Offering,
        *,
        projects: list[Project],
        clusters: list[Cluster],
        data: QueryDict | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data=data, initial=initial)
        self.offering = offering
        today = timezone.now().date()
        missing = unavailable_versions(offering, clusters)
        offered = [version for version in offering.versions if version.line not in missing]
        choices: dict[str, list[tuple[str, str]]] = {
            "project": [(project.slug, f"{project.organization.name} / {project.name}") for project in projects],
            "region": list({cluster.region.slug: cluster.region.name for cluster in clusters}.items()),
            "version": [(v.line, _version_label(v.line, v.ended(today))) for v in offered],
            "plan": [(plan.slug, str(plan.name)) for plan in offering.plans],
        }
        for name, options in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101
            field.choices = options
        self.fields["version"].help_text = " ".join(
            _("%(line)s can't be had here: %(reason)s.") % {"line": line, "reason": reason}
            for line, reason in missing.items()
        )

    def clean_name(self) -> str:
        """Refuse here what the order would refuse, so that every wrong field is named at once."""
        name: str = self.cleaned_data["name"]
        for error in name_errors(name):
            raise forms.ValidationError(error.detail)
        return name

    def clean_tags(self) -> dict[str, str]:
        """Read ``key=value`` pairs, separated by commas or spaces."""
        words = self.cleaned_data["tags"].replace(",", " ").split()
        pairs = (word.partition("=") for word in words)
        return {key: value for key, _equals, value in pairs}


def _version_label(line: str, ended: bool) -> str:
    return _("%(line)s (no longer supported upstream)") % {"line": line} if ended else line
