"""The bucket of a token: a burst, then a rate; and the headers that say so. Time is given, never waited for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as conf
from django.core.cache import cache
from rest_framework.decorators import api_view, authentication_classes, permission_classes, throttle_classes
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from portal.core.api import throttling
from portal.core.api.throttling import BURST, RATE, TokenThrottle, take


@pytest.fixture(autouse=True)
def memory(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "throttle"}}
    cache.clear()


@pytest.fixture
def call() -> Callable[..., Response]:
    @api_view(["GET"])
    @authentication_classes([])
    @permission_classes([])
    @throttle_classes([TokenThrottle])
    def view(request: Request) -> Response:
        return Response({})

    def make(address: str = "192.0.2.1") -> Response:
        response: Response = view(APIRequestFactory().get("/", REMOTE_ADDR=address))
        return response.render()

    return make


def test_a_burst_passes_and_one_more_does_not() -> None:
    assert all(take("k", RATE, BURST, 1000.0).allowed for _ in range(BURST))
    refused = take("k", RATE, BURST, 1000.0)
    assert not refused.allowed
    assert 0 < refused.wait <= 1 / RATE + 1e-6
    assert take("other", RATE, BURST, 1000.0).allowed


def test_a_hundred_a_second_pass_for_ever_after_the_burst() -> None:
    for _ in range(BURST):
        take("k", RATE, BURST, 1000.0)
    answers = [take("k", RATE, BURST, 1000.0 + (n + 1) / RATE).allowed for n in range(500)]
    assert all(answers)
    assert not take("k", RATE, BURST, 1005.0).allowed


def test_an_idle_bucket_fills_up_and_no_further() -> None:
    for _ in range(BURST):
        take("k", RATE, BURST, 1000.0)
    assert take("k", RATE, BURST, 1010.0).remaining == 999
    assert take("k", RATE, BURST, 9000.0).remaining == BURST - 1


def test_every_answer_says_the_policy_and_what_is_left(call: Callable[..., Response], settings: Any) -> None:
    settings.API_RATE, settings.API_BURST = 1, 2
    first, _second, third = call(), call(), call()
    assert first["RateLimit-Policy"] == '"default";q=2;w=2'
    assert first["RateLimit"] == '"default";r=1;t=1'
    assert (third.status_code, third.data["code"], third["RateLimit"]) == (429, "rate_limited", '"default";r=0;t=1')
    assert third["Retry-After"] == "1"
    assert third["Content-Type"] == "application/problem+json"
    assert call("192.0.2.2").status_code == 200


def test_nobody_is_limited_while_the_cache_is_down(call: Callable[..., Response], settings: Any) -> None:
    settings.API_BURST = 1
    settings.CACHES = {
        "default": {"BACKEND": "portal.core.cache.ForgivingCache", "LOCATION": "unix:///nowhere/broker.sock"}
    }
    assert [call().status_code for _ in range(3)] == [200, 200, 200]


def test_the_settings_apply_it_to_every_endpoint() -> None:
    name = f"{throttling.__name__}.{TokenThrottle.__name__}"
    assert name in conf.REST_FRAMEWORK["DEFAULT_THROTTLE_CLASSES"]


def test_a_clock_that_is_set_back_shuts_nobody_out() -> None:
    assert all(take("k", RATE, BURST, 20_000.0).allowed for _ in range(BURST))
    assert take("k", RATE, BURST, 10_000.0).remaining == BURST - 1
    assert take("k", RATE, BURST, 10_000.0).remaining == BURST - 2
