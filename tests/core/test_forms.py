"""Forms from specs: a widget for each type, errors by pointer, and only what was asked for in the result."""

import enum
from typing import Literal

import pytest
from django import forms
from django.http import QueryDict

from portal.core.errors import FieldError, conflict, invalid
from portal.core.forms import SpecForm, show_problem, spec_form
from portal.core.specs import Spec, spec_field


class Mode(enum.StrEnum):
    FAST = "fast"
    SAFE = "safe"


class Sample(Spec):
    size_gib: int = spec_field(10, title="Size", help="In GiB.", unit="GiB", ge=1, le=100)
    label: str = spec_field(title="Label", max_length=8)
    note: str | None = spec_field(None, title="Note")
    loud: bool = spec_field(True, title="Loud")
    mode: Mode = spec_field(Mode.FAST, title="Mode")
    level: Literal["low", "high"] = spec_field("low", title="Level", advanced=True)
    hosts: list[str] = spec_field([], title="Hosts", max_length=2)
    born: str = spec_field("a", title="Born", changeable=False)
    secret: str = spec_field("x", title="", hidden=True)
    database: str | None = spec_field(None, title="Database", ref=("postgresql",))


def filled(**changes: str) -> QueryDict:
    values = {"size_gib": "20", "label": "a", "note": "", "loud": "on", "mode": "safe", "level": "high", "born": "b"}
    data = QueryDict(mutable=True)
    data.update({f"spec-{name}": value for name, value in {**values, **changes}.items()})
    return data


def test_each_type_has_its_widget() -> None:
    form = spec_form(Sample, references={"database": [("svc_1", "orders")]})
    drawn = {name: str(form[name]) for name in form.fields}
    assert 'type="number"' in drawn["size_gib"]
    assert 'min="1"' in drawn["size_gib"]
    assert 'max="100"' in drawn["size_gib"]
    assert form.fields["size_gib"].unit == "GiB"  # type: ignore[attr-defined]
    assert 'type="checkbox"' in drawn["loud"]
    assert "checked" in drawn["loud"]
    assert "<select" in drawn["mode"]
    assert "<textarea" in drawn["hosts"]
    assert "orders" in drawn["database"]
    assert "secret" not in form.fields
    assert form.fields["label"].required
    assert not form.fields["note"].required
    assert [field.name for field in form.advanced_fields()] == ["level"]


def test_it_gives_what_actions_take() -> None:
    form = spec_form(Sample, data=filled(hosts="a.example\n\n b.example ", database=""))
    assert form.is_valid(), form.errors
    assert form.cleaned_spec() == {
        "size_gib": 20,
        "label": "a",
        "note": None,
        "loud": True,
        "mode": "safe",
        "level": "high",
        "hosts": ["a.example", "b.example"],
        "born": "b",
        "database": None,
    }


def test_a_box_without_its_tick_is_false_and_an_empty_number_is_the_default() -> None:
    data = filled(size_gib="")
    del data["spec-loud"]
    form = spec_form(Sample, data=data)
    assert form.is_valid(), form.errors
    assert form.cleaned_spec()["loud"] is False
    assert "size_gib" not in form.cleaned_spec()


@pytest.mark.parametrize(
    "name, value", [("size_gib", "0"), ("size_gib", "1000"), ("size_gib", "x"), ("label", ""), ("label", "x" * 9)]
)
def test_what_is_wrong_stands_beside_its_field(name: str, value: str) -> None:
    form = spec_form(Sample, data=filled(**{name: value}))
    assert list(form.errors) == [name]


def test_what_the_spec_alone_can_say_is_found_too() -> None:
    form = spec_form(Sample, data=filled(hosts="a\nb\nc"))
    assert list(form.errors) == ["hosts"]


def test_only_what_can_change_is_asked_for_later() -> None:
    form = spec_form(Sample, initial={"label": "a", "born": "b"}, only_changeable=True)
    assert "born" not in form.fields
    assert form.fixed_values() == [("Born", "b")]


class Name(forms.Form):
    name = forms.CharField()
    tags = forms.CharField(required=False)


def test_a_refusal_goes_to_the_field_that_it_names() -> None:
    name, spec = Name(QueryDict("name=x")), spec_form(Sample, data=filled())
    show_problem(
        invalid(
            FieldError("/name", "taken", "It is taken."),
            FieldError("/spec/hosts/0", "bad", "No such host."),
            FieldError("/tags/a~1b", "bad", "Not a word."),
            FieldError("/elsewhere", "bad", "Who knows."),
        ),
        name,
        spec,
    )
    assert name.errors == {"name": ["It is taken."], "tags": ["Not a word."], "__all__": ["Who knows."]}
    assert spec.errors == {"hosts": ["No such host."]}


def test_a_refusal_about_no_field_stands_above_the_form() -> None:
    form: SpecForm = spec_form(Sample, data=filled())
    show_problem(conflict("busy", "It is busy."), form)
    assert form.non_field_errors() == ["It is busy."]
