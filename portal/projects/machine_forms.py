"""Forms of service accounts."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.core.errors import Problem
from portal.projects.models import OrganizationRole, Project, ProjectRole

NONE = ("", _("No role"))
PREFIX = "in-"  # of the fields with a role in one project
SHOWN = 50  # projects in the form; roles in others are given by the API


class MachineForm(forms.Form):
    """A service account's name, its role in the organization, and one in each project."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What will use it: “CI”, “Terraform”."))
    role = forms.ChoiceField(label=_("Role in the organization"), initial=OrganizationRole.MEMBER)

    def __init__(
        self,
        data: Any,
        *,
        roles: Iterable[OrganizationRole],
        projects: Iterable[Project],
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, auto_id="machine_%s", initial=dict(initial or {}))  # stands beside the form of a token
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]
        for project in projects:
            self.fields[f"{PREFIX}{project.slug}"] = forms.ChoiceField(
                label=_("Role in %(name)s") % {"name": project.name},
                choices=[NONE, *ProjectRole.choices],
                required=False,
            )

    @property
    def in_projects(self) -> list[forms.BoundField]:
        """The fields with a role in one project."""
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    def has(self, slug: str) -> bool:
        """Whether a project has a field here."""
        return f"{PREFIX}{slug}" in self.fields

    @property
    def project_roles(self) -> dict[str, str]:
        """Roles by the slug of the project, of those that have one."""
        found = {
            name.removeprefix(PREFIX): value for name, value in self.cleaned_data.items() if name.startswith(PREFIX)
        }
        return {slug: role for slug, role in found.items() if role}

    def show(self, problem: Problem) -> None:
        """Put an action's refusal beside the fields that it names."""
        for error in problem.errors:
            name = error.pointer.removeprefix("/")
            field = name if name in self.fields else name.replace("project_roles/", PREFIX)
            self.add_error(field if field in self.fields else None, error.detail)
        if not problem.errors:
            self.add_error(None, problem.detail)


def initial_of(name: str, role: str | None, project_roles: Mapping[str, str]) -> dict[str, Any]:
    """Return what the form shows of a service account."""
    return {"name": name, "role": role, **{f"{PREFIX}{slug}": given for slug, given in project_roles.items()}}
