"""Forms of a new project and of a project's members."""

from collections.abc import Iterable

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.projects.models import Organization, OrganizationRole, ProjectRole

NO_PROJECT_ROLE = ("", _("No role in this project"))


class ProjectForm(forms.Form):
    organization = forms.ChoiceField(label=_("Organization"))
    name = forms.CharField(label=_("Name"), max_length=120)
    slug = forms.CharField(
        label=_("Slug"),
        max_length=63,
        required=False,
        help_text=_("Stands in addresses and never changes; made from the name where left empty."),
    )

    def __init__(self, data: object, organizations: Iterable[Organization]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["organization"].choices = [(o.slug, o.name) for o in organizations]  # type: ignore[attr-defined]


class MemberForm(forms.Form):
    """Gives a member of the organization a role in the project, or invites somebody else with both roles."""

    email = forms.EmailField(label=_("Email"), max_length=254)
    organization_role = forms.ChoiceField(
        label=_("Role in the organization, if they are new to it"),
        choices=OrganizationRole.choices,
        initial=OrganizationRole.MEMBER,
    )
    project_role = forms.ChoiceField(
        label=_("Role in this project"),
        choices=[NO_PROJECT_ROLE, *ProjectRole.choices],
        initial=ProjectRole.DEVELOPER,
        required=False,
    )


class RolesForm(forms.Form):
    """Changes the roles of somebody who is a member."""

    organization_role = forms.ChoiceField(choices=OrganizationRole.choices, required=False)
    project_role = forms.ChoiceField(choices=[NO_PROJECT_ROLE, *ProjectRole.choices], required=False)
