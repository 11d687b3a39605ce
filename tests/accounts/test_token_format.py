"""The form of tokens: enough chance, a checksum that a scanner can check offline."""

import math

import pytest

from portal.accounts import token_format


def test_a_token_has_the_prefix_and_160_bits_of_chance() -> None:
    token = token_format.new_token()
    assert token.startswith("arc_")
    assert len(token) == len("arc_") + 30 + 6
    assert 30 * math.log2(62) >= 160
    assert token_format.looks_like_token(token)
    assert token_format.new_token() != token


@pytest.mark.parametrize("spoil", [lambda t: t[:-1], lambda t: t + "0", lambda t: t.replace("arc_", "arx_"), str.upper])
def test_a_token_of_another_shape_is_none(spoil: object) -> None:
    assert not token_format.looks_like_token(spoil(token_format.new_token()))  # type: ignore[operator]


def test_one_wrong_character_breaks_the_checksum() -> None:
    token = token_format.new_token()
    for position in range(4, len(token)):
        other = "a" if token[position] != "a" else "b"
        assert not token_format.looks_like_token(token[:position] + other + token[position + 1 :])


def test_the_checksum_is_the_crc32_of_the_random_part() -> None:
    assert token_format.checksum("0" * 30) == "2C8GjS"


def test_a_new_line_at_the_end_is_not_part_of_a_token() -> None:
    assert not token_format.looks_like_token(token_format.new_token() + "\n")
