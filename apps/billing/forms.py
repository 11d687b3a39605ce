"""The form of a new price book: one line of text for each price, as in a spreadsheet."""

import csv
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.billing import actions
from apps.billing.models import PriceBook
from apps.billing.rates import Book, Key
from portal.core.actors import Actor
from portal.core.errors import Problem

FIELDS = 5


class PriceBookForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """``actor`` is who publishes; the admin sets it."""

    actor: Actor
    lines = forms.CharField(
        label=gettext_lazy("Prices"),
        widget=forms.Textarea(attrs={"rows": 20, "cols": 80, "spellcheck": "false"}),
        help_text=gettext_lazy("One a line: rate, offering, plan, region, amount. Empty means: of all."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)

    class Meta:
        model = PriceBook
        fields = ["valid_from", "note"]

    def clean_lines(self) -> dict[Key, Decimal]:
        """Read the lines, refusing what is no price and what stands there twice."""
        amounts: dict[Key, Decimal] = {}
        for row in csv.reader(self.cleaned_data["lines"].splitlines(), skipinitialspace=True):
            if row:
                key, amount = _line(row)
                if key in amounts:
                    raise forms.ValidationError(_("This line is there twice: %(line)s") % {"line": ",".join(row)})
                amounts[key] = amount
        return amounts

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if {"valid_from", "lines", "reason"} <= data.keys():
            try:
                actions.check(self.actor, valid_from=data["valid_from"], amounts=data["lines"], reason=data["reason"])
            except Problem as problem:
                self._show(problem)
        return data

    def _show(self, problem: Problem) -> None:
        for error in problem.errors:
            self.add_error(error.pointer.strip("/"), error.detail)
        if not problem.errors:
            self.add_error(None, problem.detail)


def as_text(book: Book) -> str:
    """Return a book's lines as the form takes them, to begin the next book with."""
    return "\n".join(f"{','.join(key)},{amount.normalize():f}" for key, amount in sorted(book.amounts.items()))


def _line(row: list[str]) -> tuple[Key, Decimal]:
    """Read one line. Raises ValidationError."""
    try:
        rate, offering, plan, region, amount = (cell.strip() for cell in row)
        return (rate, offering, plan, region), Decimal(amount)
    except (ValueError, InvalidOperation) as error:
        words = {"line": ",".join(row), "count": FIELDS}
        raise forms.ValidationError(_("Not %(count)s fields with an amount: %(line)s") % words) from error
