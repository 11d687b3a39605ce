"""Forms of founding an organization and of what it asks of its members."""

from django import forms
from django.utils.translation import gettext_lazy as _


class FoundingForm(forms.Form):
    name = forms.CharField(
        label=_("Organization"), max_length=120, help_text=_("Who you work for: a company, a team, or yourself.")
    )
    project = forms.CharField(
        label=_("First project"),
        max_length=120,
        initial=_("Production"),
        help_text=_("Services, members and costs are kept apart by project."),
    )


class PolicyForm(forms.Form):
    mfa_required = forms.BooleanField(
        label=_("Members need a second factor"),
        required=False,
        help_text=_("Who has none gets to no page but the own account's until one is added. API tokens go on working."),
    )
