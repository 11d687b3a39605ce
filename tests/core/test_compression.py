"""Pages that are read go out compressed; what may hold a secret goes out as it is."""

import gzip

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from portal.core.compression import Compression

GZIP = {"Accept-Encoding": "gzip, br"}
WORDS = "All that a portal has to say. " * 40


def answered(method: str, headers: dict[str, str], cache: str = "") -> HttpResponse:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(WORDS, headers={"Cache-Control": cache} if cache else {})

    return Compression(view)(RequestFactory(headers=headers).generic(method, "/"))


def test_a_read_page_is_compressed_where_the_browser_asks_for_it() -> None:
    small = answered("GET", GZIP)
    assert small["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.content).decode() == WORDS
    assert len(small.content) < len(WORDS) / 2
    assert "Accept-Encoding" in small["Vary"]
    assert answered("GET", {}).content.decode() == WORDS


@pytest.mark.parametrize(("method", "cache"), [("POST", ""), ("GET", "private, no-store")])
def test_what_may_hold_a_secret_is_not(method: str, cache: str) -> None:
    assert answered(method, GZIP, cache).content.decode() == WORDS


@pytest.mark.django_db
def test_the_portal_does_so() -> None:
    client = Client(headers=GZIP)
    assert client.get("/catalog")["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in client.get("/sign-in")
    assert "Content-Encoding" not in client.post("/sign-in", {"email": "nobody@acme.example", "password": "x"})
