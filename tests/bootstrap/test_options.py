"""The options that count before a command is known."""

import pytest

from portal.bootstrap.options import take


@pytest.mark.parametrize(
    ("arguments", "rest", "value"),
    [
        (["up", "--data", "/d"], ["up"], "/d"),
        (["--data", "/d", "up", "--port", "1"], ["up", "--port", "1"], "/d"),
        (["up", "--data=/d"], ["up"], "/d"),
        (["up", "--data=/d", "--data", "/e"], ["up"], "/e"),
        (["up"], ["up"], None),
        (["up", "--data"], ["up"], ""),
        (["test", "--", "--data", "/d"], ["test", "--", "--data", "/d"], None),
        (["up", "--database", "x"], ["up", "--database", "x"], None),
    ],
)
def test_data_is_taken_from_anywhere_on_the_command_line(
    arguments: list[str], rest: list[str], value: str | None
) -> None:
    assert take(arguments, "--data") == (rest, value)
