"""Forms of an organization's pages: its name, whom to invite, roles of a member, who owns it next."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.projects.models import OrganizationRole, Project, ProjectRole

NO_ROLE = ("", _("No role"))
OF_PROJECT = "project-"  # begins the name of the field of a project's role


class NameForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)


class _WithProjects(forms.Form):
    """A role in the organization, and one in each of its projects."""

    def __init__(
        self, data: object, roles: Iterable[OrganizationRole], projects: Iterable[Project], **options: Any
    ) -> None:
        super().__init__(data, **options)  # type: ignore[arg-type]
        self.projects = list(projects)
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]
        for project in self.projects:
            self.fields[OF_PROJECT + project.slug] = forms.ChoiceField(
                label=project.name, choices=[NO_ROLE, *ProjectRole.choices], required=False
            )

    @property
    def project_fields(self) -> list[forms.BoundField]:
        """Return the fields of the projects, for the template."""
        return [self[OF_PROJECT + project.slug] for project in self.projects]

    @property
    def project_roles(self) -> dict[str, str]:
        """Return what was chosen for each project that was sent, empty for none; by slug."""
        sent = {p.slug: OF_PROJECT + p.slug for p in self.projects if OF_PROJECT + p.slug in self.data}
        return {slug: self.cleaned_data.get(name, "") for slug, name in sent.items()}

    def place(self, pointer: str, detail: str) -> None:
        """Put an action's error beside its field, or above the form."""
        words = pointer.split("/")[1:]
        name = OF_PROJECT + words[1] if words[:1] == ["project_roles"] and len(words) > 1 else "".join(words[:1])
        self.add_error(name if name in self.fields else None, detail)


class InvitationForm(_WithProjects):
    """Whom to invite, as what."""

    email = forms.EmailField(label=_("Email"), max_length=254)
    role = forms.ChoiceField(label=_("Role in the organization"), initial=OrganizationRole.MEMBER)


class PersonForm(_WithProjects):
    """All roles of a member."""

    role = forms.ChoiceField(label=_("Role in the organization"))
