"""One tab per kind of part, made from its declaration alone: table, forms with errors beside fields, and verbs."""

import io
import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.audit.models import AuditEvent
from portal.core.errors import TemporaryError
from portal.resources.models import Child, Operation, Resource
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


def test_a_part_is_made_by_its_form(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/users"
    assert "admin" in browser.get(path).content.decode()
    answer = browser.post(f"{path}/new", {"name": "reporting", "spec-access": "read"})
    assert answer.status_code == 302
    page = browser.get(path).content.decode()
    assert "reporting" in page
    assert "Creating" in page
    assert "every 2s" in page


def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(
    browser: Client, htmx: Client, make: Callable[..., Resource]
) -> None:
    service = make()
    path = f"/services/{service.public_id}/users/new"
    for client in (browser, htmx):
        answer = client.post(path, {"name": "admin", "spec-access": "execute"})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert ("<html" in page) == (client is browser)
        assert 'value="admin"' in page
        assert 'value="execute"' in page
        assert 'id="dialog_spec-access_error"' in page
        taken = client.post(path, {"name": "admin", "spec-access": "read"}).content.decode()
        assert 'id="dialog_name_error"' in taken
        assert "There is already one called admin." in taken
        assert "A name matches" in client.post(path, {"name": "No!", "spec-access": "read"}).content.decode()


def test_settings_of_a_part_are_changed(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    child = Child.objects.get(resource=service)
    path = f"/services/{service.public_id}/users/{child.public_id}"
    assert 'value="write"' in browser.get(f"{path}/edit").content.decode()
    assert browser.post(f"{path}/edit", {"spec-access": "nonsense"}).status_code == 422
    assert browser.post(f"{path}/edit", {"spec-access": "read"}).status_code == 302
    assert Child.objects.get(id=child.id).spec == {"access": "read", "main": True, "predecessor": None}


def test_a_part_is_deleted_by_typing_its_name_and_a_protected_one_is_not(
    browser: Client, make: Callable[..., Resource]
) -> None:
    service = make()
    main = Child.objects.get(resource=service)
    other = Child.objects.create(resource=service, kind="users", name="other", spec={"access": "read"}, state="ready")
    path = f"/services/{service.public_id}/users"
    assert browser.post(f"{path}/{other.public_id}/delete", {"confirm": "no"}).status_code == 422
    assert browser.post(f"{path}/{other.public_id}/delete", {"confirm": "other"}).status_code == 302
    refused = browser.post(f"{path}/{main.public_id}/delete", {"confirm": "admin"})
    assert refused.status_code == 422
    assert "The main login stays." in refused.content.decode()
    assert f"{main.public_id}/delete" not in browser.get(path).content.decode()


def test_one_click_makes_a_backup_and_a_second_one_is_refused(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/backups"
    page = browser.get(path).content.decode()
    assert "Back up now" in page
    assert "No backups yet" in page
    assert browser.post(f"{path}/new", {"quick": "1"}).status_code == 302
    second = browser.post(f"{path}/new", {"quick": "1"})
    assert second.status_code == 422
    assert "is busy: backup began" in second.content.decode()
    assert Child.objects.filter(resource=service, kind="backups").count() == 1


def test_a_backup_shows_size_and_time_and_can_be_cancelled_or_tried_again(
    browser: Client, make: Callable[..., Resource], backup: Callable[..., Child], operation: Callable[..., Operation]
) -> None:
    service = make()
    done, broken, moving = backup(service), backup(service, "broken", "failed"), backup(service, "moving", "running")
    operation(service, type="backup", lane="backup", child=moving, child_name="moving")
    page = browser.get(f"/services/{service.public_id}/backups").content.decode()
    for words in (f"{done.public_id}/restore", f"{broken.public_id}/retry", f"{moving.public_id}/cancel", "Duration"):
        assert words in page
    path = f"/services/{service.public_id}/backups"
    assert browser.get(f"{path}/{moving.public_id}/cancel").status_code == 200
    assert browser.post(f"{path}/{moving.public_id}/cancel").status_code == 302
    assert Child.objects.get(id=moving.id).cancel_requested
    assert browser.post(f"{path}/{done.public_id}/retry").status_code == 422
    assert browser.post(f"{path}/{done.public_id}/explode").status_code == 404


def test_a_backup_is_downloaded_and_that_is_written_down(
    browser: Client, make: Callable[..., Resource], backup: Callable[..., Child], backend: MemoryBackend
) -> None:
    service = make()
    done, failed = backup(service), backup(service, "broken", "failed")
    backend.artifact = lambda handle, name: io.BytesIO(f"{handle} {name}".encode())  # type: ignore[method-assign]
    path = f"/services/{service.public_id}/backups"
    answer = browser.get(f"{path}/{done.public_id}/download")
    assert b"".join(answer.streaming_content) == f"{service.handle} nightly.tar.gz".encode()  # type: ignore[attr-defined]
    assert answer["Content-Disposition"] == 'attachment; filename="box-nightly.tar.gz"'
    assert AuditEvent.objects.filter(action="service.download", target_id=done.id).exists()
    assert browser.get(f"{path}/{failed.public_id}/download").status_code == 409
    backend.error = TemporaryError("The region is away.")
    backend.artifact = lambda handle, name: backend._answer()  # type: ignore[method-assign, assignment, return-value]
    assert browser.get(f"{path}/{done.public_id}/download").status_code == 503


def test_a_link_to_a_backup_is_made_after_asking_and_shown_once(
    browser: Client, htmx: Client, make: Callable[..., Resource], backup: Callable[..., Child], backend: MemoryBackend
) -> None:
    service = make()
    done, failed = backup(service), backup(service, "broken", "failed")
    backend.artifact = lambda handle, name: io.BytesIO(b"all the data")  # type: ignore[method-assign]
    path = f"/services/{service.public_id}/backups/{done.public_id}/link"
    assert path in browser.get(f"/services/{service.public_id}/backups").content.decode()
    assert "It works for 10 minutes." in browser.get(path).content.decode()
    for client in (browser, htmx):
        answer = client.post(path)
        page = answer.content.decode()
        assert ("<html" in page, answer["Cache-Control"]) == (client is browser, "no-store")
        found = re.search(r'value="http://testserver(/download/[^"]+)"', page)
        assert found is not None
        stranger = Client().get(found[1])
        assert b"".join(stranger.streaming_content) == b"all the data"  # type: ignore[attr-defined]
    assert browser.post(path.replace(done.public_id, failed.public_id)).status_code == 422


def test_a_backup_is_restored_to_a_new_service_or_in_place(
    browser: Client, htmx: Client, make: Callable[..., Resource], backup: Callable[..., Child]
) -> None:
    service = make()
    done = backup(service)
    path = f"/services/{service.public_id}/backups/{done.public_id}/restore"
    page = browser.get(path).content.decode()
    for words in ('value="box-restored"', "737.30 EUR", "Restore in place"):
        assert words in page
    taken = htmx.post(path, {"way": "new", "name": "box", "plan": "dev-2"})
    assert taken.status_code == 422
    assert 'id="id_name_error"' in taken.content.decode()
    assert browser.post(path, {"way": "in_place", "confirm": "bo"}).status_code == 422
    answer = browser.post(path, {"way": "new", "name": "box-2", "plan": "standard-4"})
    made = Resource.objects.get(name="box-2")
    assert answer["Location"] == f"/services/{made.public_id}"
    assert made.plan_slug == "standard-4"
    assert browser.post(path, {"way": "in_place", "confirm": "box"}).status_code == 302
    assert Resource.objects.get(id=service.id).origin["in_place"] is True


def test_a_stopped_service_says_why_nothing_can_be_made(browser: Client, make: Callable[..., Resource]) -> None:
    service = make(running=False)
    page = browser.get(f"/services/{service.public_id}/users").content.decode()
    assert "Start it first." in page
    assert "users/new" not in page
    answer = browser.post(f"/services/{service.public_id}/users/new", {"name": "late", "spec-access": "read"})
    assert answer.status_code == 422
    assert "box is stopped." in answer.content.decode()


def test_many_parts_take_as_many_queries_as_two(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/users"
    browser.get(path)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            browser.get(path)
        return len(caught)

    few = queries()
    Child.objects.bulk_create(
        Child(resource=service, kind="users", name=f"user-{n}", spec={"access": "read"}, state="ready")
        for n in range(60)
    )
    assert queries() == few
