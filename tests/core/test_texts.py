"""Free text stays as it is written, but for what would break its line, its page or its reader's eye."""

import pytest

from portal.core import specs, texts
from portal.core.errors import PermanentError
from portal.core.specs import Spec, spec_field


class Sample(Spec):
    size: int = spec_field(1, title="Size", ge=1, le=9)
    label: str = spec_field("", title="Label", max_length=20)
    script: str = spec_field("", title="Script", lines=True)
    hosts: tuple[str, ...] = spec_field((), title="Hosts")
    born: str = spec_field("a", title="Born", changeable=False)


@pytest.mark.parametrize(
    "text", ["", "  padded ", "ﬁ Å", "👩\u200d🔬", "ฐาน", "e\u0301", "'; $(x) {{y}} <b>", "a\u200bb"]
)
def test_what_people_write_is_right(text: str) -> None:
    assert texts.fault_of(text) == ""


@pytest.mark.parametrize("bad", ["\0", "\n", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ud800"])
def test_what_breaks_a_line_or_turns_it_round_is_named(bad: str) -> None:
    assert f"U+{ord(bad):04X}" in texts.fault_of(f"a{bad}b")
    assert bool(texts.fault_of(f"a{bad}b", lines=True)) == (bad not in "\n\t")
    found = texts.errors_within("/spec", {"a/b": ["right", {"c": f"x{bad}"}], f"k{bad}": 1})
    assert [error.pointer for error in found] == ["/spec", "/spec/a~1b/1/c"]


@pytest.mark.parametrize("values", [{"size": "3"}, {"size": 3.0}, {"size": True}, {"label": 3}, {"hosts": "a"}])
def test_a_spec_guesses_no_type_from_another(values: dict[str, object]) -> None:
    checked, errors = specs.validate(Sample, values)
    assert checked is None
    assert [error.pointer for error in errors] == [f"/spec/{name}" for name in values]


def test_a_spec_keeps_texts_as_they_are_and_lines_where_they_are_right() -> None:
    checked, errors = specs.validate(Sample, {"label": " a ", "script": "one\ntwo", "hosts": ["a", "b"]})
    assert (errors, checked) == ([], Sample(label=" a ", script="one\ntwo", hosts=("a", "b")))
    assert specs.validate(Sample, {"label": "one\ntwo"})[1][0].pointer == "/spec/label"


def test_a_stored_spec_that_is_not_right_any_more_is_set_aside_and_can_be_mended() -> None:
    found = specs.load(Sample, {"size": 99, "label": "x", "left": 1, "born": ["a"]})
    assert (found.size, found.label, dict(found.unsound)) == (1, "x", {"size": 99, "born": ["a"]})  # type: ignore[attr-defined]
    assert specs.asked(found)["size"] == 99
    with pytest.raises(PermanentError, match="size"):
        specs.require_sound(found)
    mended, _errors = specs.validate(Sample, {**specs.asked(found), "size": 5, "born": "b"})
    assert mended is not None
    assert specs.refused_changes(found, mended) == []
    specs.require_sound(mended)
    assert specs.load(Sample, mended.model_dump(mode="json")) == mended
