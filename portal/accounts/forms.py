"""Forms of the sign-in page and the account page."""

from django import forms
from django.utils.translation import gettext_lazy as _


class PasswordForm(forms.Form):
    email = forms.EmailField(label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        label=_("Password"), max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class NameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        required=False,
        help_text=_("What members of your organizations read beside your mail address."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
