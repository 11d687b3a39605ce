"""Forms for what operators do with Kubernetes clusters in the admin site."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.clusters.backends.kubernetes.kubeconfig import LONGEST
from portal.clusters.backends.kubernetes.settings import ClusterSettings
from portal.core.forms import SpecForm
from portal.core.operator_forms import OperatorForm


class Unshown(forms.Textarea):
    """A text that is sent and never shown again, not even beside its error."""

    def format_value(self, value: Any) -> str:
        return ""


class KubeconfigForm(OperatorForm):
    """How a cluster is reached: a file, or its text."""

    file = forms.FileField(label=gettext_lazy("Kubeconfig"), required=False)
    kubeconfig = forms.CharField(
        label=gettext_lazy("Or its text"),
        required=False,
        max_length=LONGEST,
        widget=Unshown(attrs={"rows": 8, "class": "mono", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "Server, authority and a token or client certificate, all inline. It is kept encrypted and never shown."
        ),
    )
    unchecked = forms.BooleanField(label=gettext_lazy("Also if it does not answer now"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        file = data.pop("file", None)
        if file is not None:
            data["kubeconfig"] = self._text(file.read(LONGEST + 1))
        elif not data.get("kubeconfig") and "kubeconfig" not in self.errors:
            self.add_error("kubeconfig", _("Choose a file, or paste its text."))
        return data

    def _text(self, content: bytes) -> str:
        if len(content) > LONGEST:
            self.add_error("file", _("This is longer than any kubeconfig."))
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            self.add_error("file", _("This is not a text."))
            return ""


class SettingsForm(OperatorForm):
    """What is said of a cluster, a field for each setting."""

    def prepare(self) -> None:
        """Begin with what holds now."""
        self.fields.update(_settings_fields(self.row.settings))
        self.order_fields([name for name in self.fields if name != "reason"])

    def settings(self) -> dict[str, Any]:
        """Return the settings that were asked for; what was left empty has its default."""
        return _settings(self.cleaned_data)


class AddForm(KubeconfigForm):
    """A cluster for a region."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=63, help_text=gettext_lazy("Small letters, digits and hyphens.")
    )

    def prepare(self) -> None:
        """Ask for the settings as well, the name first."""
        self.fields.update(_settings_fields({}))
        self.order_fields(["name", *(name for name in self.fields if name not in ("name", "reason"))])

    def settings(self) -> dict[str, Any]:
        """Return the settings that were asked for; what was left empty has its default."""
        return _settings(self.cleaned_data)


def _settings_fields(stored: dict[str, Any]) -> dict[str, forms.Field]:
    fields = SpecForm(ClusterSettings).fields
    for name, field in fields.items():
        field.initial = stored.get(name, field.initial)
        field.required = False
    return fields


def _settings(data: dict[str, Any]) -> dict[str, Any]:
    found = {name: data[name] for name in ClusterSettings.model_fields if data.get(name)}
    lists = {name for name, value in ClusterSettings().model_dump().items() if isinstance(value, list)}
    return {name: value.split() if name in lists else value for name, value in found.items()}
