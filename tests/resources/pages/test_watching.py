"""Metrics, logs and activity: drawn from what the region answers, and plain about it where it does not."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.clusters.backends.base import EVENT, LogLine
from portal.core.errors import PermanentError, TemporaryError
from portal.resources.models import Event, Operation, Resource
from portal.resources.presenters.metrics import rates
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


def test_charts_have_their_numbers_and_counters_become_rates(browser: Client, make: Callable[..., Resource]) -> None:
    page = browser.get(f"/services/{make().public_id}/metrics")
    cpu, commits = page.context["charts"]
    assert cpu.curves[0].values == [40.0] * 20
    assert commits.curves[0].values == [2.0] * 19
    assert "2/s" in page.content.decode()
    assert "range=1h" in page.content.decode()


def test_a_counter_that_starts_anew_leaves_a_gap() -> None:
    assert rates([(0, 10), (10, 30), (20, 0), (30, 5)]) == [(10, 2.0), (30, 0.5)]
    assert rates([(0, 10)]) == []


def test_a_source_that_does_not_answer_is_said_so(
    browser: Client, make: Callable[..., Resource], backend: MemoryBackend
) -> None:
    service = make()
    backend.error = TemporaryError("The region is away.")
    for tab in ("metrics", "logs"):
        answer = browser.get(f"/services/{service.public_id}/{tab}")
        assert answer.status_code == 200
        assert "The region is away." in answer.content.decode()
    assert browser.get(f"/services/{service.public_id}/logs.txt").status_code == 503


def test_log_lines_are_escaped_stripped_and_filtered(browser: Client, make: Callable[..., Resource]) -> None:
    path = f"/services/{make().public_id}/logs"
    page = browser.get(path).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "ready red" in page
    assert "\x1b" not in page
    assert '<li class="error">' in page
    filtered = browser.get(path, {"q": "BROKE"}).content.decode()
    assert "ERROR: it broke" in filtered
    assert "ready red" not in filtered
    assert "No line matches" in browser.get(path, {"q": "nothing like it"}).content.decode()
    for nonsense in ("2026-99-99T99:99", "tomorrow", "2026-01-01T00:00"):
        assert browser.get(path, {"q": "", "since": nonsense, "until": nonsense}).status_code == 200


def test_it_follows_unless_told_not_to(browser: Client, make: Callable[..., Resource]) -> None:
    path = f"/services/{make().public_id}/logs"
    assert 'id="service_log" hx-get' in browser.get(path).content.decode()
    assert 'id="service_log" hx-get' in browser.get(path, {"q": "", "follow": "on"}).content.decode()
    assert 'id="service_log" hx-get' not in browser.get(path, {"q": ""}).content.decode()


def test_the_log_comes_as_text(browser: Client, make: Callable[..., Resource]) -> None:
    answer = browser.get(f"/services/{make().public_id}/logs.txt", {"q": "broke"})
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="box.log"'
    assert answer.content.decode().endswith("ERROR: it broke\n")
    assert answer.content.decode().count("\n") == 1


def test_activity_says_who_did_what_page_by_page(
    browser: Client, make: Callable[..., Resource], operation: Callable[..., Operation], developer: User
) -> None:
    service = make()
    made = operation(service, requested_by=developer.id)
    Event.objects.bulk_create(
        Event(resource=service, project=service.project, reason="Requested", message=f"line {n}", actor_id=developer.id)
        for n in range(70)
    )
    path = f"/services/{service.public_id}/activity"
    first = browser.get(path)
    page = first.content.decode()
    assert f"/operations/{made.public_id}" in page
    assert "developer@acme.example" in page
    cursor = first.context["page"]["next_cursor"]
    second = browser.get(path, {"cursor": cursor}).content.decode()
    assert "line 0" in second
    assert "line 69" not in second
    assert browser.get(path, {"cursor": "nonsense"}).status_code == 200


def test_what_the_cluster_warns_of_stands_above_the_log_and_apart_from_it(
    browser: Client, make: Callable[..., Resource], backend: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/services/{make().public_id}/logs"
    assert "Warnings of the cluster" not in browser.get(path).content.decode()
    lines = [LogLine(None, EVENT, "WARNING FailedScheduling: no <room>"), LogLine(None, "p-1/engine", "ready")]
    monkeypatch.setattr(backend, "logs", lambda *_args, **_kwargs: lines)
    page = browser.get(path)
    assert [line.text for line in page.context["warnings"]] == ["WARNING FailedScheduling: no <room>"]
    assert [line.text for line in page.context["lines"]] == ["ready"]
    assert "no &lt;room&gt;" in page.content.decode()


def test_a_region_without_any_figures_is_said_to_have_none(
    browser: Client, make: Callable[..., Resource], backend: MemoryBackend
) -> None:
    backend.error = PermanentError("This region has no source of metrics.")
    page = browser.get(f"/services/{make().public_id}/metrics").content.decode()
    assert "No figures in this region" in page
    assert "This region has no source of metrics." in page


def test_the_head_looks_every_second_and_has_the_rest_follow(
    browser: Client, htmx: Client, make: Callable[..., Resource]
) -> None:
    service = make()
    page = browser.get(f"/services/{service.public_id}")
    mark = page.context["header_mark"]
    assert 'hx-trigger="every 1s"' in page.content.decode()
    assert "service-changed from:body" in page.content.decode()
    assert htmx.get(f"/services/{service.public_id}/header", {"seen": mark}).status_code == 204
    Resource.objects.filter(id=service.id).update(facts={"replicas": 2})
    answer = htmx.get(f"/services/{service.public_id}/header", {"seen": mark})
    assert (answer.status_code, "service-changed" in answer["HX-Trigger"]) == (200, True)
