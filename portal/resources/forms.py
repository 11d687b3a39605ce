"""Forms of services' pages that are not made from a spec. The actions check again; a form only says where it was."""

import datetime
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from portal.core.offerings import ChildKind, Plan
from portal.resources.maintenance import DAYS
from portal.resources.models import Resource
from portal.resources.presenters.effects import bin_words, wipe_words
from portal.resources.tables import headings

PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class NameForm(forms.Form):
    """A name for something new."""

    name = forms.CharField(label=_("Name"), max_length=63, widget=forms.TextInput(attrs=PLAIN | {"class": "mono"}))

    def __init__(self, *args: Any, help_text: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = help_text


def child_name_form(kind: ChildKind, data: QueryDict | None) -> NameForm | None:
    """Return the form of a new part's name; None where the platform names them."""
    return None if kind.generated_name else NameForm(data)


class TableForm(forms.Form):
    """Many parts at once, as a table."""

    rows = forms.CharField(
        label=_("Table"),
        max_length=200_000,
        widget=forms.Textarea(attrs=PLAIN | {"class": "mono", "rows": 10, "wrap": "off"}),
    )

    def __init__(self, kind: ChildKind, data: QueryDict | None) -> None:
        super().__init__(data)
        columns = ",".join(headings(kind))
        field = self.fields["rows"]
        field.initial = f"{columns}\n"
        field.help_text = _("One line each, below the heading %(columns)s; from a spreadsheet, paste as it is.") % {
            "columns": columns
        }


class AboutForm(forms.Form):
    """Name and description of a service."""

    name = forms.CharField(
        label=_("Name"),
        max_length=63,
        help_text=_("Address and credentials stay the same when you rename it."),
        widget=forms.TextInput(attrs=PLAIN | {"class": "mono"}),
    )
    description = forms.CharField(label=_("Description"), max_length=500, required=False)


class ProtectionForm(forms.Form):
    """The switch that makes deleting impossible until it is turned off."""

    protected = forms.BooleanField(
        label=_("Protect this service against deletion"),
        required=False,
        help_text=_("Nobody can delete it, by console, API or command, until this is off again."),
    )


class MaintenanceForm(forms.Form):
    """The window of two hours in which the platform upgrades a service."""

    day = forms.ChoiceField(label=_("Day"), choices=list(DAYS.items()))
    start_utc = forms.TimeField(
        label=_("From"),
        help_text=_("UTC. The window is two hours long and may reach into the next day."),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )

    def as_json(self) -> dict[str, str]:
        """Return what was chosen as the action takes it."""
        return {"day": self.cleaned_data["day"], "start_utc": f"{self.cleaned_data['start_utc']:%H:%M:%S}"}


class DeleteForm(forms.Form):
    """What happens to the data of a service that is deleted."""

    deletion_policy = forms.ChoiceField(label=_("What happens to the data"), widget=forms.RadioSelect, initial="bin")

    def __init__(self, resource: Resource, data: QueryDict | None = None) -> None:
        super().__init__(data)
        keep = _("Keep it in the bin. %(what)s") % {"what": bin_words(resource)}
        field = self.fields["deletion_policy"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [("bin", keep), ("wipe", wipe_words(resource))]


class VersionForm(forms.Form):
    """A newer release to go to."""

    version = forms.ChoiceField(label=_("Version"))

    def __init__(self, releases: list[str], data: QueryDict | None = None) -> None:
        super().__init__(data)
        field = self.fields["version"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [(release, release) for release in releases]


class PlanForm(forms.Form):
    """A plan, drawn as cards."""

    plan = forms.CharField(max_length=63)


class RestoreForm(forms.Form):
    """A new service from a backup, or from a moment after it where the log is archived since then."""

    name = forms.CharField(
        label=_("Name of the new service"), max_length=63, widget=forms.TextInput(attrs=PLAIN | {"class": "mono"})
    )
    plan = forms.CharField(max_length=63)
    time = forms.DateTimeField(
        label=_("Moment (UTC)"),
        required=False,
        help_text=_("Left empty, the end of this backup. Choose one that was followed by further writes."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
    )

    def __init__(self, *args: Any, with_time: bool = False, **named: Any) -> None:
        super().__init__(*args, **named)
        if not with_time:
            del self.fields["time"]

    def clean_time(self) -> datetime.datetime | None:
        """Return the moment as UTC, whatever zone the page is in."""
        found: datetime.datetime | None = self.cleaned_data["time"]
        return found.replace(tzinfo=datetime.UTC) if found else None


def tag_rows(tags: dict[str, str], *, empty: int = 2) -> list[dict[str, str]]:
    """Return the rows of the tag editor: those that are there, and some to fill."""
    rows = [{"key": key, "value": value, "error": ""} for key, value in sorted(tags.items())]
    return [*rows, *({"key": "", "value": "", "error": ""} for _row in range(empty))]


def read_tags(data: QueryDict) -> dict[str, str]:
    """Read the tag editor; rows without a key are left out."""
    pairs = zip(data.getlist("tag_key"), data.getlist("tag_value"), strict=False)
    return {key.strip(): value.strip() for key, value in pairs if key.strip()}


def network_rows(networks: list[dict[str, str]], *, empty: int = 2) -> list[dict[str, str]]:
    """Return the rows of the list of allowed networks: those that are there, and some to fill."""
    rows = [{**network, "error": ""} for network in networks]
    return [*rows, *({"cidr": "", "description": "", "error": ""} for _row in range(empty))]


def read_networks(data: QueryDict) -> list[dict[str, str]]:
    """Read the list of allowed networks; rows without a network are left out."""
    pairs = zip(data.getlist("network_cidr"), data.getlist("network_description"), strict=False)
    return [{"cidr": cidr.strip(), "description": words.strip()} for cidr, words in pairs if cidr.strip()]


def cheapest_first(plans: tuple[Plan, ...]) -> list[Plan]:
    """Return plans in the order of their size."""
    return sorted(plans, key=lambda plan: (plan.nodes, plan.memory_mib))
