"""Forms of the sign-in page and the tokens page."""

import datetime

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.core import registry

EXPIRIES = [("30", _("In 30 days")), ("90", _("In 90 days")), ("365", _("In a year")), ("", _("Never"))]


class PasswordForm(forms.Form):
    email = forms.EmailField(label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        label=_("Password"), max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class TokenForm(forms.Form):
    """Asks for what a token may do in the words of a person; ``scopes`` and ``expires_at`` are what it comes to."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What will use it, so that you know it later."))
    access = forms.ChoiceField(
        label=_("May do"),
        choices=[("", _("All that I may")), ("write", _("Read and change")), ("read", _("Read; never a secret"))],
        required=False,
        initial="write",
    )
    projects = forms.CharField(
        label=_("Only in these projects"), required=False, help_text=_("Slugs with spaces between; empty for all.")
    )
    families = forms.MultipleChoiceField(
        label=_("Only for these services"), required=False, widget=forms.CheckboxSelectMultiple
    )
    expires = forms.ChoiceField(label=_("Expires"), choices=EXPIRIES, required=False, initial="90")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["families"].choices = list(registry.families().items())  # type: ignore[attr-defined]

    @property
    def scopes(self) -> list[str]:
        data = self.cleaned_data
        places = [f"project:{slug}" for slug in data["projects"].replace(",", " ").split()]
        places += [f"family:{slug}" for slug in data["families"]]
        return ([data["access"]] if data["access"] else []) + places

    @property
    def expires_at(self) -> datetime.datetime | None:
        days = self.cleaned_data["expires"]
        return timezone.now() + datetime.timedelta(days=int(days)) if days else None
