"""The form of a new token and the rows of a list of tokens, for people's own and for service accounts' alike."""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.accounts.models import ApiToken
from portal.core import registry
from portal.core.errors import Problem

SOON = datetime.timedelta(days=7)  # before its end, from when on a token is marked
EXPIRIES = [
    ("7", gettext_lazy("In 7 days")),
    ("30", gettext_lazy("In 30 days")),
    ("90", gettext_lazy("In 90 days")),
    ("365", gettext_lazy("In a year")),
    ("", gettext_lazy("Never")),
]
ACCESS = [
    ("write", gettext_lazy("Read and change")),
    ("read", gettext_lazy("Read; never a secret")),
    ("", gettext_lazy("Everything, all that its account may")),
]
FIELDS = {"name": "name", "scopes": "projects", "expires_at": "expires"}


class TokenForm(forms.Form):
    """Asks for what a token may do in the words of a person; ``scopes`` and ``expires_at`` are what it comes to."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("What will use it, so that you know it later."),
    )
    access = forms.ChoiceField(label=gettext_lazy("May do"), choices=ACCESS, required=False, initial="write")
    projects = forms.MultipleChoiceField(
        label=gettext_lazy("Only in these projects"), required=False, widget=forms.CheckboxSelectMultiple
    )
    families = forms.MultipleChoiceField(
        label=gettext_lazy("Only for these services"), required=False, widget=forms.CheckboxSelectMultiple
    )
    expires = forms.ChoiceField(
        label=gettext_lazy("Expires"),
        choices=EXPIRIES,
        required=False,
        initial="90",
        help_text=gettext_lazy("One that never expires works until somebody revokes it, in the wrong hands too."),
    )

    def __init__(self, data: Any = None, *, projects: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(data)
        self.fields["projects"].choices = list(projects)  # type: ignore[attr-defined]
        self.fields["families"].choices = list(registry.families().items())  # type: ignore[attr-defined]

    @property
    def scopes(self) -> list[str]:
        data = self.cleaned_data
        places = [f"project:{slug}" for slug in data["projects"]]
        places += [f"family:{slug}" for slug in data["families"]]
        return ([data["access"]] if data["access"] else []) + places

    @property
    def expires_at(self) -> datetime.datetime | None:
        days = self.cleaned_data["expires"]
        return timezone.now() + datetime.timedelta(days=int(days)) if days else None

    def show(self, problem: Problem) -> None:
        """Put an action's refusal beside the fields that it names."""
        for error in problem.errors:
            self.add_error(FIELDS.get(error.pointer.split("/")[1]), error.detail)
        if not problem.errors:
            self.add_error(None, problem.detail)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token of a list: what it may do in words, when it ends, and where it is revoked."""

    token: ApiToken
    revoke_url: str

    @property
    def scopes(self) -> list[str]:
        return [words_of(scope) for scope in self.token.scopes]

    @property
    def ends_soon(self) -> bool:
        end = self.token.expires_at
        return end is not None and end < timezone.now() + SOON


def rows_of(tokens: Iterable[ApiToken], revoke_url: Callable[[ApiToken], str]) -> list[TokenRow]:
    return [TokenRow(token, revoke_url(token)) for token in tokens]


def words_of(scope: str) -> str:
    """Return what a scope says, as people read it."""
    kind, _colon, place = scope.partition(":")
    words: dict[str, str | Promise] = {"read": _("Read"), "write": _("Read and change")}
    if kind == "family":
        return registry.families().get(place, place)
    return _("Project %(slug)s") % {"slug": place} if kind == "project" else str(words.get(kind, scope))
