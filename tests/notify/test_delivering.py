"""Webhooks are told at least once, signed as the standard says, and no receiver keeps the others waiting."""

import datetime
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actors import SYSTEM
from portal.notify import actions, bodies, delivering, settling, tasks
from portal.notify.actions import Wanted
from portal.notify.models import Attempt, Delivery, Happening, Lane, Notification, Webhook
from portal.projects.models import Organization
from tests.core.receiver import Receiver

pytestmark = pytest.mark.django_db
Emit = Callable[..., None]
Deliver = Callable[..., bool]


def only() -> Delivery:
    return Delivery.objects.get()


def make_due() -> None:
    Delivery.objects.filter(state="pending").update(next_at=timezone.now())


def test_a_happening_is_delivered_signed_as_a_cloud_event(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, organization: Organization
) -> None:
    emitted("service.created", plan="free", name="shop")
    assert deliver() is False
    _path, headers, body = receiver.got[0]
    event = Verifier(hook.plain).verify(body, headers)  # type: ignore[attr-defined]
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert event["specversion"] == "1.0"
    assert (event["id"], event["type"], event["subject"]) == (headers["webhook-id"], "service.created", "svc_1")
    assert (event["data"]["plan"], event["source"].rpartition("/")[2]) == ("free", organization.public_id)
    with pytest.raises(WebhookVerificationError):
        Verifier(hook.plain).verify(body + b" ", headers)  # type: ignore[attr-defined]
    assert (only().state, only().attempts, Attempt.objects.get().status) == ("delivered", 1, 200)


def test_it_is_written_in_the_transaction_and_asked_for_when_that_commits(
    hook: Webhook, emitted: Emit, asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with transaction.atomic():
        emitted()
        transaction.set_rollback(True)
    assert (Happening.objects.count(), asked) == (0, [])
    with django_capture_on_commit_callbacks(execute=True):
        emitted()
    assert (Delivery.objects.count(), asked) == (1, ["deliver", "deliver_slow"])


def test_only_webhooks_that_listen_are_told(
    hook: Webhook, receiver: Receiver, emitted: Emit, other_organization: Organization, organization: Organization
) -> None:
    project = organization.projects.create(slug="acme-lab", name="Lab")
    url = receiver.url("http", "127.0.0.1")
    make = {
        "other": (other_organization.id, None, ()),
        "backups": (organization.id, None, ("backup.failed",)),
        "lab": (organization.id, project.id, ()),
    }
    for name, (where, project_id, types) in make.items():
        wanted = Wanted(url=url, description=name, event_types=types)
        actions.create_webhook(SYSTEM, organization_id=where, project_id=project_id, wanted=wanted)
    emitted("service.created")
    assert [d.webhook.description for d in Delivery.objects.all()] == ["Chat"]
    actions.emit("backup.failed", organization_id=organization.id, project_id=project.id)
    told = {d.webhook.description for d in Delivery.objects.filter(happening__type="backup.failed")}
    assert told == {"Chat", "backups", "lab"}
    actions.change_webhook(SYSTEM, hook, wanted=Wanted(enabled=False))
    emitted("service.deleted")
    assert not Delivery.objects.filter(happening__type="service.deleted").exists()


def test_a_failure_is_tried_again_later_and_at_last_given_up(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    receiver.status = 500
    emitted()
    waited = []
    for attempt in range(1, settling.TRIES + 1):
        deliver()
        found = only()
        assert (found.attempts, found.lease_until) == (attempt, None)
        if found.state == "pending":
            waited.append(found.next_at - timezone.now())
            deliver()  # not due: nothing is sent
            make_due()
    assert (only().state, len(receiver.got), Attempt.objects.filter(status=500).count()) == ("failed", 10, 10)
    whole = sum(waited, datetime.timedelta())
    assert datetime.timedelta(hours=65) < whole < datetime.timedelta(hours=92)
    assert len({headers["webhook-id"] for _path, headers, _body in receiver.got}) == 1
    hook.refresh_from_db()
    assert (hook.enabled, hook.is_slow, hook.failing_since is not None) == (True, True, True)


def test_a_success_ends_the_failing(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "SLOW_MILLISECONDS", 60_000)
    receiver.status = 503
    emitted()
    deliver()
    receiver.status = 204
    make_due()
    deliver()
    hook.refresh_from_db()
    assert (only().state, hook.failing_since, hook.is_slow) == ("delivered", None, False)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 429, 500, 503])
def test_whatever_is_no_success_is_a_failure(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, status: int
) -> None:
    receiver.status, receiver.headers = status, {"Location": receiver.url("http", "127.0.0.1")}
    emitted()
    deliver()
    assert (only().state, only().attempts, len(receiver.got), Attempt.objects.get().status) == ("pending", 1, 1, status)


def test_gone_switches_it_off_and_tells_its_admins(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, owner: User, developer: User
) -> None:
    receiver.status = 410
    emitted()
    emitted()
    deliver()
    hook.refresh_from_db()
    assert (hook.enabled, hook.disabled_reason, len(receiver.got)) == (False, "gone", 1)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed", "dropped"}
    assert [n.person_id for n in Notification.objects.filter(kind="webhook.disabled")] == [owner.id]
    assert AuditEvent.objects.filter(action="webhook.disable", target_id=hook.id, reason="gone").count() == 1
    emitted()
    assert not Delivery.objects.filter(state="pending").exists()


def test_days_of_failures_switch_it_off(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, owner: User
) -> None:
    receiver.status = 500
    emitted()
    Delivery.objects.update(attempts=settling.TRIES - 1)
    deliver()
    hook.refresh_from_db()
    assert (only().state, hook.enabled) == ("failed", True)  # failing for a moment only
    Webhook.objects.update(failing_since=timezone.now() - settling.LONG)
    emitted()
    Delivery.objects.filter(state="pending").update(attempts=settling.TRIES - 1)
    deliver()
    hook.refresh_from_db()
    assert (hook.enabled, hook.disabled_reason) == (False, "failing")
    assert Notification.objects.get(kind="webhook.disabled").person_id == owner.id


def test_both_secrets_sign_while_one_is_retired_and_only_the_new_one_after(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    old = hook.plain  # type: ignore[attr-defined]
    _hook, new = actions.rotate_secret(SYSTEM, hook)
    emitted()
    deliver()
    for secret in (old, new):
        Verifier(secret).verify(receiver.got[0][2], receiver.got[0][1])
    assert len(receiver.got[0][1]["webhook-signature"].split()) == 2
    Webhook.objects.update(retired_until=timezone.now())
    emitted()
    deliver()
    Verifier(new).verify(receiver.got[1][2], receiver.got[1][1])
    with pytest.raises(WebhookVerificationError):
        Verifier(old).verify(receiver.got[1][2], receiver.got[1][1])


def test_a_body_stays_under_twenty_kilobytes(
    hook: Webhook, emitted: Emit, receiver: Receiver, deliver: Deliver
) -> None:
    emitted(message="ä" * 30_000)
    assert deliver() is False
    body = receiver.got[0][2]
    assert len(body) < bodies.LARGEST
    assert json.loads(body)["data"]["truncated"] is True
    emitted(message="ä" * 5_000)
    deliver()
    assert json.loads(receiver.got[1][2])["data"]["message"] == "ä" * 5_000


def test_a_test_is_sent_to_a_webhook_that_is_off_and_nothing_else(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    emitted()
    Webhook.objects.update(enabled=False)
    made = actions.send_test(SYSTEM, hook)
    deliver()
    assert [json.loads(body)["type"] for _path, _headers, body in receiver.got] == ["webhook.test"]
    made.refresh_from_db()
    assert made.state == "delivered"


def test_a_replay_is_a_delivery_of_its_own_with_the_same_event(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    emitted()
    deliver()
    actions.replay(SYSTEM, only())
    deliver()
    ids = [headers["webhook-id"] for _path, headers, _body in receiver.got]
    assert (len(ids), len(set(ids)), Delivery.objects.count()) == (2, 1, 2)


def test_another_address_gets_a_new_secret_and_nothing_of_what_waited(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    """Security case 12: what was made for one address never goes to another."""
    old = hook.plain  # type: ignore[attr-defined]
    actions.rotate_secret(SYSTEM, hook)
    emitted()
    url = receiver.url("http", "127.0.0.1") + "/elsewhere"
    changed, secret = actions.change_webhook(SYSTEM, hook, wanted=Wanted(url=url))
    assert secret.startswith("whsec_")
    assert (changed.retired, only().state) == ("", "dropped")
    emitted()
    deliver()
    _path, headers, body = receiver.got[0]
    Verifier(secret).verify(body, headers)
    assert len(headers["webhook-signature"].split()) == 1
    with pytest.raises(WebhookVerificationError):
        Verifier(old).verify(body, headers)
    again, none = actions.change_webhook(SYSTEM, changed, wanted=Wanted(url=url, description="Other"))
    assert (none, again.secret) == ("", changed.secret)


def test_a_slow_receiver_keeps_only_its_own_waiting(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, organization: Organization
) -> None:
    """It moves into the lane of the slow, where it waits for others of its kind; the quick ones do not wait for it."""
    Webhook.objects.filter(id=hook.id).update(is_slow=True)
    receiver.wait = 0.5
    emitted()
    wanted = Wanted(url=receiver.url("http", "127.0.0.1"), description="Quick")
    quick, _secret = actions.create_webhook(SYSTEM, organization_id=organization.id, wanted=wanted)
    emitted()
    began = time.monotonic()
    receiver.wait = 0
    deliver("quick")
    assert time.monotonic() - began < 20
    assert set(Delivery.objects.filter(state="delivered").values_list("webhook_id", flat=True)) == {quick.id}
    deliver("slow")
    assert Delivery.objects.filter(state="delivered", webhook=hook).count() == 2


def test_one_who_was_slow_waits_in_the_other_lane(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "SLOW_MILLISECONDS", 20)
    receiver.wait = 0.1
    emitted()
    deliver("quick")
    hook.refresh_from_db()
    assert (only().state, hook.is_slow) == ("delivered", True)
    receiver.wait = 0
    monkeypatch.setattr(settling, "SLOW_MILLISECONDS", 60_000)
    emitted()
    deliver("quick")
    assert len(receiver.got) == 1
    deliver("slow")
    hook.refresh_from_db()
    assert (len(receiver.got), hook.is_slow) == (2, False)


def test_no_organization_takes_the_whole_round(
    hook: Webhook, receiver: Receiver, emitted: Emit, other_organization: Organization, organization: Organization
) -> None:
    url = receiver.url("http", "127.0.0.1")
    for _number in range(8):
        actions.create_webhook(SYSTEM, organization_id=organization.id, wanted=Wanted(url=url))
    other, _secret = actions.create_webhook(SYSTEM, organization_id=other_organization.id, wanted=Wanted(url=url))
    emitted()
    actions.emit("service.created", organization_id=other_organization.id)
    assert delivering.take_round("quick") is True
    told = Delivery.objects.filter(state="delivered")
    assert told.filter(webhook__organization_id=organization.id).count() == delivering.OF_ORGANIZATION
    assert told.filter(webhook=other).exists()


def test_deliveries_to_one_webhook_keep_their_order_and_wait_behind_a_failure(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    for number in range(4):
        emitted(number=number)
    deliver()
    assert [json.loads(body)["data"]["number"] for _path, _headers, body in receiver.got] == [0, 1, 2, 3]
    receiver.status = 500
    for number in range(3):
        emitted(number=number)
    deliver("quick")
    assert (len(receiver.got), Delivery.objects.filter(state="pending", attempts=0, lease_until=None).count()) == (5, 2)


def test_a_round_is_taken_by_one_worker_at_a_time(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    emitted()
    Lane.objects.create(name="quick", lease_until=timezone.now() + delivering.LEASE, fence=3)
    assert (deliver("quick"), len(receiver.got)) == (False, 0)
    Lane.objects.update(lease_until=timezone.now())  # whoever had it has died
    assert (deliver("quick"), len(receiver.got)) == (False, 1)
    assert Lane.objects.get(name="quick").lease_until is None


def test_what_a_dead_worker_had_claimed_is_sent_again_and_its_late_write_counts_for_nothing(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    emitted()
    late = Delivery.objects.select_related("happening").get()
    assert delivering._claim(late, timezone.now() - 2 * delivering.LEASE)
    deliver()
    assert (only().state, only().attempts, len(receiver.got)) == ("delivered", 1, 1)
    settling.settle(hook, [settling.Outcome(late, timezone.now(), 500, "", 1)], [])
    assert (only().state, only().attempts, Attempt.objects.count()) == ("delivered", 1, 1)
    hook.refresh_from_db()
    assert hook.failing_since is None


def test_an_address_that_has_become_unfit_is_a_failure_with_its_reason(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver, settings: Any
) -> None:
    settings.OUTBOUND_NETWORKS = []
    emitted()
    deliver()
    assert (only().state, len(receiver.got)) == ("pending", 0)
    assert "https://" in Attempt.objects.get().error


def test_what_a_receiver_says_is_kept_nowhere(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    receiver.body, receiver.status = b"token=canary-of-the-receiver", 500
    emitted()
    deliver()
    assert not Attempt.objects.filter(error__contains="canary").exists()
    assert "canary" not in str(list(Attempt.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_happening_once(hook: Webhook, receiver: Receiver, emitted: Emit) -> None:
    receiver.wait = 0.2
    emitted()

    def work() -> None:
        delivering.take_round("quick")
        connection.close()

    workers = [threading.Thread(target=work) for _number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert (len(receiver.got), only().state, only().attempts) == (1, "delivered", 1)


def test_old_happenings_are_forgotten_with_their_log_unless_somebody_waits(
    hook: Webhook, receiver: Receiver, emitted: Emit, deliver: Deliver
) -> None:
    emitted()
    deliver()
    receiver.status = 500
    emitted()
    deliver()
    Happening.objects.update(at=timezone.now() - datetime.timedelta(days=31))
    tasks.forget_old()
    assert [found.state for found in Delivery.objects.all()] == ["pending"]
    assert (Happening.objects.count(), Attempt.objects.count()) == (1, 1)


def test_with_nothing_to_do_nothing_is_written(hook: Webhook, deliver: Deliver, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):  # a look into an index in each lane
        assert deliver() is False
    assert not Lane.objects.exists()


def test_a_webhook_that_goes_at_that_moment_undoes_nothing_of_what_it_was_to_be_told(
    hook: Webhook, emitted: Emit, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.delete_webhook(SYSTEM, hook)
    monkeypatch.setattr("portal.notify.queries.listening", lambda *asked: [hook])
    emitted()
    connection.check_constraints()
    assert (Delivery.objects.count(), deliver()) == (1, False)
    Delivery.objects.update(created_at=timezone.now() - datetime.timedelta(days=2))
    tasks.forget_old()
    assert not Delivery.objects.exists()
