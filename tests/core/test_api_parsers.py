"""Bodies are read strictly: what could be understood in two ways is refused with a 4xx that says what is wrong."""

import io

import pytest
from rest_framework.exceptions import UnsupportedMediaType

from portal.core.api.parsers import DEEPEST, MOST_BYTES, StrictJSONParser
from portal.core.errors import Problem


def parse(raw: bytes, media_type: str = "application/json") -> dict[str, object]:
    return StrictJSONParser().parse(io.BytesIO(raw), media_type)


def test_it_reads_an_object_as_it_is() -> None:
    raw = '{"name": "orders-db", "spec": {"list": [1, 2.5, true, null]}, "größe": "😀"}'.encode()
    assert parse(raw) == {"name": "orders-db", "spec": {"list": [1, 2.5, True, None]}, "größe": "😀"}
    assert parse(b"{}", "application/json; charset=UTF-8") == {}


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"[]", 422, "invalid_arguments"),
        (b'"text"', 422, "invalid_arguments"),
        (b"null", 422, "invalid_arguments"),
        (b"", 400, "malformed_request"),
        (b"{", 400, "malformed_request"),
        (b'{"a": 1,}', 400, "malformed_request"),
        (b'{"a": 1} x', 400, "malformed_request"),
        (b"\xef\xbb\xbf{}", 400, "malformed_request"),
        (b'{"a": 1, "a": 2}', 400, "malformed_request"),
        (b'{"a": {"b": 1, "b": 1}}', 400, "malformed_request"),
        (b'{"a": NaN}', 400, "malformed_request"),
        (b'{"a": -Infinity}', 400, "malformed_request"),
        (b'{"a": 1e999}', 400, "malformed_request"),
        (b'{"a": 9223372036854775808}', 400, "malformed_request"),
        (b'{"a": ' + b"9" * 5000 + b"}", 400, "malformed_request"),
        (b'{"a": "\xff"}', 400, "malformed_request"),
        (b'{"a": "\\u0000"}', 422, "invalid_arguments"),
        (b'{"\\u0000": 1}', 422, "invalid_arguments"),
        (b'{"a": "\\ud800"}', 422, "invalid_arguments"),
        (b'{"a": ' * 40 + b"1" + b"}" * 40, 400, "malformed_request"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "malformed_request"),
        (b'{"a": "' + b"x" * MOST_BYTES + b'"}', 413, "too_large"),
    ],
)
def test_it_refuses_what_it_can_not_take_at_its_word(raw: bytes, status: int, code: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(raw)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.detail


def test_it_points_at_text_that_can_not_be_kept() -> None:
    with pytest.raises(Problem) as caught:
        parse(b'{"tags": {"a/b": ["ok", "\\u0000"]}}')
    assert [error.pointer for error in caught.value.errors] == ["/tags/a~1b/1"]


def test_nesting_is_fine_up_to_its_limit() -> None:
    levels = DEEPEST - 2
    assert parse(b'{"a": ' * levels + b"1" + b"}" * levels)


def test_another_charset_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        parse(b"{}", "application/json; charset=latin-1")
