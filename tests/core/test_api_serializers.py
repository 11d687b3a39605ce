"""Bodies are closed and typed: nothing is ignored, nothing is guessed."""

from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from portal.core.api.problems import problem_of
from portal.core.api.serializers import Flag, NoBody, Strict, Table, Text, Whole, read


class Inner(Strict):
    name = Text(max_length=5)


class Body(Strict):
    name = Text()
    on = Flag(required=False)
    count = Whole(required=False, min_value=1)
    spec = Table(required=False)
    target = Inner(required=False)
    tags = serializers.DictField(child=Text(max_length=3), required=False)
    several = serializers.ListField(child=Text(max_length=3), required=False)


def errors_of(body: Any, kind: type[Strict] = Body) -> dict[str, str]:
    request = Request(APIRequestFactory().post("/", body, format="json"), parsers=[JSONParser()])
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is looked at
        read(request, kind)
    problem = problem_of(caught.value)
    assert problem is not None
    assert problem.status == 422
    return {error.pointer: error.code for error in problem.errors}


def test_it_takes_what_fits_as_it_is() -> None:
    body = {"name": " a ", "on": True, "count": 3, "spec": {"x": [1]}, "target": {"name": "b"}, "tags": {"k": "v"}}
    request = Request(APIRequestFactory().post("/", body, format="json"), parsers=[JSONParser()])
    assert read(request, Body) == body


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"/name": "required"}),
        ({"name": "a", "nope": 1}, {"/nope": "unknown_field"}),
        ({"nope": 1}, {"/name": "required", "/nope": "unknown_field"}),
        ({"name": "a", "target": {"name": "b", "x/y": 1}}, {"/target/x~1y": "unknown_field"}),
        ({"name": "a", "target": {"name": "toolong"}}, {"/target/name": "max_length"}),
        ({"name": "a", "target": []}, {"/target": "invalid"}),
        ({"name": 1}, {"/name": "invalid"}),
        ({"name": None}, {"/name": "null"}),
        ({"name": True}, {"/name": "invalid"}),
        ({"name": "a", "on": "true"}, {"/on": "invalid"}),
        ({"name": "a", "on": 1}, {"/on": "invalid"}),
        ({"name": "a", "count": "3"}, {"/count": "invalid"}),
        ({"name": "a", "count": True}, {"/count": "invalid"}),
        ({"name": "a", "count": 0}, {"/count": "min_value"}),
        ({"name": "a", "spec": []}, {"/spec": "not_a_dict"}),
        ({"name": "a", "tags": {"k": "long"}}, {"/tags/k": "max_length"}),
        ({"name": "a", "tags": {"k": 1}}, {"/tags/k": "invalid"}),
        ({"name": "a", "several": ["ok", "long"]}, {"/several/1": "max_length"}),
        ({"name": "a", "several": "ok"}, {"/several": "not_a_list"}),
        ([], {"": "not_an_object"}),
    ],
)
def test_it_names_every_field_that_does_not_fit(body: Any, errors: dict[str, str]) -> None:
    assert errors_of(body) == errors


def test_a_verb_that_takes_nothing_takes_no_field_and_no_body_alike() -> None:
    assert read(Request(APIRequestFactory().post("/"), parsers=[JSONParser()]), NoBody) == {}
    assert errors_of({"force": True}, NoBody) == {"/force": "unknown_field"}


def test_a_body_of_unknown_length_is_not_taken_for_an_empty_one() -> None:
    raw = APIRequestFactory().post("/", HTTP_TRANSFER_ENCODING="chunked")
    raw.META.pop("CONTENT_LENGTH", None)
    with pytest.raises(Exception, match="length_required"):
        read(Request(raw, parsers=[JSONParser()]), NoBody)
