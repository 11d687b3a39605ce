"""Each page in each state of a service: it opens, says what is the case, and offers what can be done."""

import datetime
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from portal.core.conditions import Condition, Status
from portal.resources.models import Operation, Resource
from tests.resources.pages.conftest import ENDPOINT

pytestmark = pytest.mark.django_db
TABS = ("", "/connect", "/users", "/backups", "/metrics", "/logs", "/activity", "/settings", "/resize")
NOW = timezone.now()


def condition(kind: str, status: Status, reason: str, message: str = "") -> dict[str, object]:
    return Condition(kind, status, reason, message).as_json()


STATES: dict[str, dict[str, object]] = {
    "provisioning": {"ready_once_at": None, "observed_generation": 0, "conditions": [], "facts": {}},
    "running": {},
    "updating": {"generation": 2},
    "stopping": {"running": False, "conditions": []},
    "stopped": {"running": False, "conditions": [condition("Stopped", Status.TRUE, "Stopped")]},
    "starting": {"conditions": [condition("Ready", Status.FALSE, "Starting", "It starts.")], "generation": 2},
    "failed": {"conditions": [condition("Stalled", Status.TRUE, "PortTaken", "Its port is taken.")], "generation": 2},
    "deleting": {"deletion_requested_at": NOW, "deletion_policy": "bin"},
    "deleted": {
        "deletion_requested_at": NOW,
        "deleted_at": NOW,
        "deletion_policy": "bin",
        "purge_after": NOW + datetime.timedelta(days=14),
    },
    "purged": {"deletion_requested_at": NOW, "deleted_at": NOW, "purged_at": NOW, "deletion_policy": "wipe"},
}


@pytest.mark.parametrize("state", STATES)
def test_every_tab_opens_in_every_state(browser: Client, make: Callable[..., Resource], state: str) -> None:
    service = make(**STATES[state])
    assert service.state == state
    for tab in TABS:
        answer = browser.get(f"/services/{service.public_id}{tab}")
        assert answer.status_code == 200, (tab, answer.content[-500:])


def test_a_deleted_service_offers_no_settings_to_change(browser: Client, make: Callable[..., Resource]) -> None:
    service = make(**STATES["deleted"])
    page = browser.get(f"/services/{service.public_id}/settings").content.decode()
    assert "Bring it back from the bin" in page
    assert "settings-about" not in page
    overview = browser.get(f"/services/{service.public_id}").content.decode()
    assert "Undelete" in overview
    assert "Remove for good" in overview


def test_progress_is_the_centre_while_it_is_made(
    browser: Client, make: Callable[..., Resource], operation: Callable[..., Operation]
) -> None:
    service = make(**STATES["provisioning"])
    steps = [
        {"name": "fetching", "state": "running", "message": "fetching Toy 2.0, 23 MB", "started_at": NOW.isoformat()}
    ]
    running = operation(service, steps=steps)
    page = browser.get(f"/services/{service.public_id}").content.decode()
    assert "is on its way" in page
    assert "fetching Toy 2.0, 23 MB" in page
    assert "every 2s" in page
    assert running.public_id in page
    assert "Cancel" in page


def test_an_address_is_shown_once_somebody_answers_there(
    browser: Client, make: Callable[..., Resource], operation: Callable[..., Operation]
) -> None:
    known = {"endpoints": [ENDPOINT]}  # the port is kept before the engine runs
    service = make(**STATES["provisioning"] | {"facts": known})
    promise = "The address appears here as soon as the service runs."
    operation(service)
    page = browser.get(f"/services/{service.public_id}").content.decode()
    assert promise in page
    assert ENDPOINT["host"] not in page
    page = browser.get(f"/services/{make('other').public_id}").content.decode()
    assert promise not in page
    assert ENDPOINT["host"] in page


def test_a_condition_is_explained_with_who_can_mend_it(browser: Client, make: Callable[..., Resource]) -> None:
    full = condition("DiskNearlyFull", Status.TRUE, "DiskNearlyFull", "91 % of 10 GiB are used.")
    running = condition("Ready", Status.TRUE, "Ready")
    service = make(conditions=[running, full])
    page = browser.get(f"/services/{service.public_id}").content.decode()
    for words in ("The disk is nearly full", "91 % of 10 GiB are used.", "You can mend this.", "Make the disk larger"):
        assert words in page
    assert "Degraded" in page


def test_a_failed_operation_says_why_and_what_to_do(
    browser: Client, make: Callable[..., Resource], operation: Callable[..., Operation]
) -> None:
    service = make()
    error = {"detail": "The disk is full.", "instance_usable": True}
    failed = operation(
        service, type="resize", state="failed", message="The disk is full.", error=error, finished_at=NOW
    )
    assert "Change plan: failed" in browser.get(f"/services/{service.public_id}").content.decode()
    page = browser.get(f"/operations/{failed.public_id}").content.decode()
    for words in ("The disk is full.", "The service itself still works.", "Mend the cause and try again."):
        assert words in page


def test_nothing_new_is_answered_by_204(
    htmx: Client, make: Callable[..., Resource], operation: Callable[..., Operation]
) -> None:
    service = make()
    made = operation(service, type="restart", lane="lifecycle")
    paths = ["/services", f"/operations/{made.public_id}"]
    paths += [
        f"/services/{service.public_id}{tab}" for tab in ("", "/users", "/metrics", "/logs", "/activity", "/header")
    ]
    for path in paths:
        first = htmx.get(path)
        assert first.status_code == 200, path
        assert "<html" not in first.content.decode(), path
        mark = first.content.decode().partition("seen=")[2][:16]
        assert htmx.get(path, {"seen": mark}).status_code == 204, path
        assert htmx.get(path, {"seen": "other"}).status_code == 200, path


def test_an_operation_that_ends_is_told_in_a_toast(
    htmx: Client, make: Callable[..., Resource], operation: Callable[..., Operation]
) -> None:
    service = make()
    restart = operation(service, type="restart")
    path = f"/services/{service.public_id}/header"
    assert "toast" not in htmx.get(path, {"operation": restart.public_id})["HX-Trigger"]
    Operation.objects.filter(id=restart.id).update(state="succeeded", finished_at=NOW)
    assert "Restart: succeeded" in htmx.get(path, {"operation": restart.public_id})["HX-Trigger"]
