"""What an act changed becomes a line for each value that is another one now."""

import pytest

from portal.audit.diffing import MOST, Line, lines


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"role": ["member", "admin"]}, [Line("role", "member", "admin")]),
        ({"name": [None, "Acme"]}, [Line("name", "nothing", "Acme")]),
        ({"name": ["Acme", None]}, [Line("name", "Acme", "nothing")]),
        ({"forced": [None, True]}, [Line("forced", "nothing", "yes")]),
        ({"format": "csv"}, [Line("format", None, "csv")]),
        ({"projects": [["a"], ["a", "b"]]}, [Line("projects", "a", "a, b")]),
        (
            {"spec": [{"disk": 1, "memory": {"mib": 2}}, {"disk": 1, "memory": {"mib": 4, "swap": 0}}]},
            [Line("spec.memory.mib", "2", "4"), Line("spec.memory.swap", None, "0")],
        ),
        ({"spec": [None, {"disk": 1}]}, [Line("spec.disk", None, "1")]),
        ({"spec": [{"disk": 1}, None]}, [Line("spec.disk", "1", None)]),
        (
            {"rules": [[{"cidr": "a"}], [{"cidr": "b"}, {"cidr": "c"}]]},
            [Line("rules[0].cidr", "a", "b"), Line("rules[1].cidr", None, "c")],
        ),
        ({"same": [{"a": 1}, {"a": 1}]}, []),
        ({"value": [{"a": 1}, "text"]}, [Line("value", "{'a': 1}", "text")]),
        ({}, []),
    ],
)
def test_a_change_becomes_lines(changes: dict[str, object], expected: list[Line]) -> None:
    assert lines(changes) == expected


def test_a_page_is_not_flooded() -> None:
    assert len(lines({"spec": [{}, {f"n{number}": number for number in range(MOST * 2)}]})) == MOST
