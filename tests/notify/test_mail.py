"""Mail is kept with what it is about, and sent by a real server when there is one; what failed is tried again."""

import datetime
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.errors import Problem
from portal.notify import actions, outbox, sending, tasks
from portal.notify.models import Mail
from tests.ports import free_port

pytestmark = pytest.mark.django_db
SECRET = "https://portal.example/sign-in/canary-in-a-mail"


class Post:
    """What a mail server has got, and how it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], str]] = []
        self.refuses: dict[str, str] = {}  # recipient -> answer
        self.answer = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return self.answer


@pytest.fixture(autouse=True)
def backend(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "portal.notify.outbox.Backend"
    settings.DEFAULT_FROM_EMAIL = "Archipel <portal@provider.example>"


@pytest.fixture
def post(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A mail server on loopback that the settings name; tasks are taken up by hand."""
    found = Post()
    port = free_port()
    controller = Controller(found, hostname="127.0.0.1", port=port, ready_timeout=60)
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    controller.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    monkeypatch.setattr(tasks, "_enqueue", lambda task: None)
    yield found
    controller.stop()


def make_due() -> None:
    Mail.objects.filter(state="queued").update(next_at=timezone.now())


def columns_of_mail() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(row)::text FROM notify_mail AS row")
        return "".join(line for (line,) in cursor.fetchall())


def test_without_a_server_a_mail_is_kept_sealed() -> None:
    send_mail("Welcome", f"Come in: {SECRET}", None, ["owner@acme.example"])
    mail = Mail.objects.get()
    assert (mail.state, mail.recipient, mail.subject) == ("kept", "owner@acme.example", "Welcome")
    assert "canary" not in columns_of_mail()
    assert SECRET in outbox.text_of(mail)
    assert sending.send_due() is False


def test_a_mail_is_undone_with_what_it_is_about() -> None:
    with transaction.atomic():
        send_mail("Welcome", "x", None, ["owner@acme.example"])
        transaction.set_rollback(True)
    assert not Mail.objects.exists()


def test_each_recipient_is_a_mail_of_its_own() -> None:
    EmailMessage("Hello", "x", to=["a@acme.example", "b@acme.example"], bcc=["b@acme.example", "c@acme.example"]).send()
    assert set(Mail.objects.values_list("recipient", flat=True)) == {f"{name}@acme.example" for name in "abc"}


def test_it_is_sent_and_its_text_let_go_of(post: Post, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        message = EmailMultiAlternatives("Grüße", "Schöne Grüße", to=["owner@acme.example"])
        message.attach_alternative("<p>Schöne Grüße</p>", "text/html")
        message.send()
    assert [callback.__name__ for callback in callbacks] == ["enqueue_mail"]
    assert sending.send_due() is False
    sender, recipients, content = post.got[0]
    assert (sender, recipients) == ("portal@provider.example", ["owner@acme.example"])
    assert "To: owner@acme.example" in content
    mail = Mail.objects.get()
    assert (mail.state, mail.sealed, mail.attempts, mail.error) == ("sent", "", 1, "")
    assert outbox.text_of(mail) == ""
    sending.send_due()
    assert len(post.got) == 1


def test_many_go_over_in_portions(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "AT_ONCE", 2)
    for number in range(3):
        send_mail("Hello", "x", None, [f"{number}@acme.example"])
    assert (sending.send_due(), len(post.got)) == (True, 2)
    assert (sending.send_due(), len(post.got)) == (False, 3)


def test_a_server_that_is_away_costs_time_and_no_mail(post: Post, settings: Settings) -> None:
    send_mail("Hello", "x", None, ["owner@acme.example"])
    right, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    sending.send_due()
    mail = Mail.objects.get()
    assert (mail.state, mail.attempts) == ("queued", 1)
    assert mail.error.startswith("ConnectionRefusedError")
    assert timezone.now() < mail.next_at < timezone.now() + datetime.timedelta(minutes=2)
    sending.send_due()
    settings.EMAIL_PORT = right
    make_due()
    sending.send_due()
    assert (Mail.objects.get().state, len(post.got)) == ("sent", 1)


def test_a_refusal_for_a_while_is_tried_again_and_at_last_given_up(post: Post) -> None:
    send_mail("Hello", "x", None, ["owner@acme.example"])
    post.answer = "451 later"
    for attempt in range(1, len(sending.PAUSES) + 2):
        make_due()
        sending.send_due()
        assert Mail.objects.get().attempts == attempt
    assert (Mail.objects.get().state, Mail.objects.get().next_at) == ("failed", None)


@pytest.mark.parametrize("where", ["recipient", "data"])
def test_a_refusal_for_good_fails_at_once_and_the_others_go_on(post: Post, where: str) -> None:
    send_mail("Hello", "x", None, ["gone@acme.example"])
    if where == "recipient":
        post.refuses["gone@acme.example"] = "550 nobody of that name"
        send_mail("Hello", "x", None, ["owner@acme.example"])
    else:
        post.answer = "554 no"
    sending.send_due()
    mail = Mail.objects.get(recipient="gone@acme.example")
    assert (mail.state, mail.attempts) == ("failed", 1)
    assert "nobody of that name" not in mail.error
    assert len(post.got) == (1 if where == "recipient" else 0)


def test_a_mail_that_somebody_else_has_is_left_to_them(post: Post) -> None:
    send_mail("Hello", "x", None, ["owner@acme.example"])
    mail = Mail.objects.get()
    assert sending._claim(mail, timezone.now())
    assert not sending._claim(Mail(id=mail.id, next_at=timezone.now()), timezone.now())
    sending.send_due()
    assert post.got == []


def test_an_operator_reads_a_kept_mail_with_a_reason_and_on_the_record(operator: User, owner: User) -> None:
    send_mail("Welcome", f"Come in: {SECRET}", None, ["owner@acme.example"])
    mail, actor = Mail.objects.get(), actor_for(operator)
    for who, reason, code in ((owner, "why", "permission_denied"), (operator, " ", "invalid_arguments")):
        with pytest.raises(Problem) as caught:
            actions.read_mail(actor_for(who), mail, reason=reason)
        assert caught.value.code == code
    assert SECRET in actions.read_mail(actor, mail, reason="They asked by phone")
    row = AuditEvent.objects.get(action="mail.read", outcome="done")
    assert (row.actor_id, row.reason) == (operator.id, "They asked by phone")
    assert "acme.example" not in str(AuditEvent.objects.filter(action="mail.read").values())


def test_an_operator_has_a_failed_mail_tried_again(post: Post, operator: User, owner: User) -> None:
    send_mail("Hello", "x", None, ["owner@acme.example"])
    Mail.objects.update(state="failed", next_at=None, attempts=8)
    mail = Mail.objects.get()
    with pytest.raises(Problem):
        actions.retry_mail(actor_for(owner), mail, reason="why")
    actions.retry_mail(actor_for(operator), mail, reason="The server is back")
    sending.send_due()
    assert (Mail.objects.get().state, len(post.got)) == ("sent", 1)
    with pytest.raises(Problem) as caught:
        actions.retry_mail(actor_for(operator), mail, reason="again")
    assert caught.value.code == "gone"


def test_old_mail_is_forgotten() -> None:
    for days in (13, 15):
        send_mail(f"{days} days", "x", None, ["owner@acme.example"])
        Mail.objects.filter(subject=f"{days} days").update(created_at=timezone.now() - datetime.timedelta(days=days))
    tasks.forget_old()
    assert [mail.subject for mail in Mail.objects.all()] == ["13 days"]
