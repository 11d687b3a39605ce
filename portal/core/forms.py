"""Forms from specs: one field per setting, checked by the spec itself, with refusals beside their fields."""

import decimal
import enum
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from pydantic.fields import FieldInfo

from portal.core import specs
from portal.core.errors import FieldError, Problem
from portal.core.specs import Spec, inner_type, meta_of, visible_fields

Choices = list[tuple[Any, Any]]


class SpecForm(forms.Form):
    """A form of a spec's visible fields. ``cleaned_spec()`` is what actions take; its spec finds the errors."""

    def __init__(
        self,
        spec: type[Spec],
        *,
        data: QueryDict | None = None,
        initial: Mapping[str, Any] | None = None,
        only_changeable: bool = False,
        prefix: str = "spec-",
        references: Mapping[str, Choices] | None = None,
        backends: Collection[str] | None = None,
    ) -> None:
        super().__init__(data=data, initial=dict(initial or {}), prefix=prefix.removesuffix("-"))
        self.spec = spec
        self.fixed: dict[str, Any] = {}
        for name, info in visible_fields(spec).items():
            if backends is not None and not can_be_had(info, backends):
                continue
            if only_changeable and not meta_of(info).changeable:
                self.fixed[name] = self.initial.get(name)
            else:
                self.fields[name] = _field(name, info, (references or {}).get(name, []))

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            _checked, errors = specs.validate(self.spec, {**self.initial, **self.cleaned_spec()})
            for error in errors:
                place(error, self)
        return self.cleaned_data

    def cleaned_spec(self) -> dict[str, Any]:
        """Return the settings that were asked for; what was left empty has its default."""
        pairs = ((name, self.cleaned_data.get(name)) for name in self.fields)
        return {name: self._value(name, value) for name, value in pairs if not self._is_left_out(name, value)}

    def _is_left_out(self, name: str, value: Any) -> bool:
        """Whether a setting keeps its default: it was not sent (a checkbox never is when off), or says nothing."""
        info = self.spec.model_fields[name]
        not_sent = self.add_prefix(name) not in self.data and inner_type(info) is not bool
        return not_sent or (value is None and not _takes_none(info))

    def _value(self, name: str, value: Any) -> Any:
        info = self.spec.model_fields[name]
        if value == "" and (_takes_none(info) or meta_of(info).ref):
            return None
        if _is_list(inner_type(info)):
            return [line.strip() for line in str(value or "").splitlines() if line.strip()]
        return value

    def main_fields(self) -> list[forms.BoundField]:
        """Return what everybody sees."""
        return [self[name] for name in self.fields if not self._is_advanced(name)]

    def advanced_fields(self) -> list[forms.BoundField]:
        """Return what stands folded away."""
        return [self[name] for name in self.fields if self._is_advanced(name)]

    def has_advanced_errors(self) -> bool:
        """Whether the folded part has to be open."""
        return any(name in self.errors for name in self.fields if self._is_advanced(name))

    def fixed_values(self) -> list[tuple[str, Any]]:
        """Return title and value of what can't be changed any more."""
        return [(title_of(name, self.spec.model_fields[name]), value) for name, value in self.fixed.items()]

    def _is_advanced(self, name: str) -> bool:
        return meta_of(self.spec.model_fields[name]).advanced


def spec_form(
    spec: type[Spec],
    *,
    data: QueryDict | None = None,
    initial: Mapping[str, Any] | None = None,
    only_changeable: bool = False,
    prefix: str = "spec-",
    references: Mapping[str, Choices] | None = None,
    backends: Collection[str] | None = None,
) -> SpecForm:
    """Return the form of a spec. ``references`` gives the services that may stand in each ``Ref`` field.

    ``backends`` are the kinds of cluster it may be for: what none of them has is not asked.
    """
    return SpecForm(
        spec,
        data=data,
        initial=initial,
        only_changeable=only_changeable,
        prefix=prefix,
        references=references,
        backends=backends,
    )


def can_be_had(info: FieldInfo, backends: Collection[str]) -> bool:
    """Whether a field is for one of these kinds of cluster."""
    wanted = meta_of(info).backends
    return not wanted or bool(set(wanted) & set(backends))


def title_of(name: str, info: FieldInfo) -> str:
    """Return a field's title in the reader's language."""
    return _(info.title) if info.title else name.replace("_", " ").capitalize()


def show_problem(problem: Problem, *shown: forms.Form) -> None:
    """Put an action's refusal into the forms it came from: beside the fields that it names, else above the first."""
    for error in problem.errors or (FieldError("", problem.code, problem.detail),):
        place(error, *shown)


def place(error: FieldError, *shown: forms.Form) -> None:
    """Put one error beside the field that its pointer names; above the first form where none has that field."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in error.pointer.split("/")[1:]]
    for form in shown:
        in_spec = bool(parts) and "spec" in parts[:-1]
        if isinstance(form, SpecForm) != in_spec:
            continue
        name = next((part for part in reversed(parts) if part in form.fields), None)
        if name is not None:
            form.add_error(name, error.detail)
            return
    if shown:
        shown[0].add_error(None, error.detail)


def _field(name: str, info: FieldInfo, references: Choices) -> forms.Field:
    made = _bare_field(info, references)
    made.label = title_of(name, info)
    made.help_text = _(info.description) if info.description else ""
    made.required = info.is_required() and inner_type(info) is not bool
    made.initial = None if info.is_required() else info.get_default(call_default_factory=True)
    made.unit = meta_of(info).unit  # type: ignore[attr-defined]
    if _is_list(inner_type(info)) and made.initial:
        made.initial = "\n".join(str(item) for item in made.initial)
    return made


def _bare_field(info: FieldInfo, references: Choices) -> forms.Field:
    kind, meta = inner_type(info), meta_of(info)
    if meta.ref:
        return forms.ChoiceField(choices=[("", _("None")), *references])
    if choices := [*meta.choices] or list(_options(kind)):
        values = {str(value): value for value, _words in choices}
        return forms.TypedChoiceField(choices=[*_empty(info), *choices], coerce=lambda word: values.get(word, word))
    if kind is bool:
        return forms.BooleanField()
    if kind is int:
        return forms.IntegerField(min_value=_bound(info, "ge"), max_value=_bound(info, "le"))
    if kind in (float, decimal.Decimal):
        return forms.FloatField(min_value=_bound(info, "ge"), max_value=_bound(info, "le"))
    if _is_list(kind):
        return _Lines(widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}))
    return forms.CharField(max_length=_bound(info, "max_length"), strip=True)


class _Lines(forms.CharField):
    """A list of texts, one on each line."""

    def prepare_value(self, value: Any) -> Any:
        is_list = isinstance(value, Iterable) and not isinstance(value, str)
        return "\n".join(str(item) for item in value) if is_list else value


def _options(kind: Any) -> Iterator[tuple[Any, str]]:
    """Return the words of a Literal or Enum with how they are shown."""
    if typing.get_origin(kind) is typing.Literal:
        yield from ((value, _(str(value).replace("_", " ").capitalize())) for value in typing.get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        yield from ((item.value, _(str(item.value).replace("_", " ").capitalize())) for item in kind)


def _empty(info: FieldInfo) -> Choices:
    return [("", _("Default"))] if _takes_none(info) else []


def _takes_none(info: FieldInfo) -> bool:
    return type(None) in typing.get_args(info.annotation)


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) in (list, tuple, set, frozenset)


def _bound(info: FieldInfo, name: str) -> Any:
    """Return a bound that the field declares, by pydantic's word for it."""
    return next((getattr(item, name) for item in info.metadata if hasattr(item, name)), None)
