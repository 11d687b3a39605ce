"""People are told in the console and by mail as they choose, in their own words, and of nothing that is another's."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone, translation
from django.utils.functional import lazystr
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.core.personal import Person
from portal.notify import actions, kinds, personal, queries, tasks
from portal.notify.kinds import Kind
from portal.notify.models import Mail, Notification, Preference
from portal.projects.models import Organization

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
ApiOf = Callable[..., APIClient]


def tell(*people: User, kind: str = "member.added", **params: str) -> None:
    asked = {"role": "admin", "organization": "Acme", **params}
    actions.tell([person.id for person in people], kind, params=asked, link="/organizations/acme")


def test_somebody_is_told_in_the_console_and_by_mail(owner: User, client_of: ClientOf, settings: Any) -> None:
    tell(owner)
    page = client_of(owner).get("/notifications")
    assert "You are admin of Acme now." in page.text
    assert [message.to for message in mail.outbox] == [["owner@acme.example"]]
    assert f"{settings.BASE_URL}/organizations/acme" in mail.outbox[0].body


def test_the_bell_counts_what_is_unread_and_opening_it_reads_it(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    assert 'class="count">' not in client.get("/notifications").text.partition("topbar-end")[2].partition("main")[0]
    tell(owner)
    tell(owner)
    assert '<span class="count">2</span>' in client.get("/").text
    first = Notification.objects.first()
    assert first is not None
    assert client.get(f"/notifications/{first.public_id}/open").status_code == 405
    assert client.post(f"/notifications/{first.public_id}/open").headers["Location"] == "/organizations/acme"
    assert queries.unread_count(owner.id) == 1
    assert client.get("/notifications?unread=1").text.count("You are admin of Acme now.</span>") == 1
    client.post("/notifications/read")
    assert queries.unread_count(owner.id) == 0


def test_another_s_notification_is_not_there(owner: User, stranger: User, client_of: ClientOf, api_of: ApiOf) -> None:
    tell(owner)
    found = Notification.objects.get()
    assert client_of(stranger).post(f"/notifications/{found.public_id}/open").status_code == 404
    asked = {"notifications": [found.public_id]}
    assert api_of(stranger).post("/api/v1/notifications/read", asked, format="json").status_code == 404
    assert api_of(stranger).get("/api/v1/notifications").json()["items"] == []
    assert Notification.objects.get().read_at is None


def test_the_api_lists_reads_and_chooses(owner: User, api_of: ApiOf) -> None:
    api = api_of(owner)
    tell(owner)
    tell(owner, kind="role.changed")
    items = api.get("/api/v1/notifications?unread=true").json()["items"]
    assert [item["text"] for item in items] == ["You are admin of Acme now."] * 2
    one = {"notifications": [items[0]["id"]]}
    assert api.post("/api/v1/notifications/read", one, format="json").json() == {"read": 1}
    assert api.post("/api/v1/notifications/read", {}, format="json").json() == {"read": 1}
    assert api.get("/api/v1/notifications?unread=true").json()["total_count"] == 0
    wanted = {"kind": "member.added", "console": False, "mail": False}
    assert api.put("/api/v1/notifications/preferences", wanted, format="json").json()["mail"] is False
    mail.outbox.clear()
    tell(owner)
    assert (queries.unread_count(owner.id), mail.outbox) == (0, [])


def test_a_token_that_reads_changes_nothing_and_one_of_a_project_sees_nothing(
    owner: User, project: Any, api_of: ApiOf
) -> None:
    tell(owner)
    wanted = {"kind": "member.added", "console": False, "mail": False}
    reading, limited = api_of(owner, "read"), api_of(owner, f"project:{project.slug}")
    assert reading.get("/api/v1/notifications").json()["total_count"] == 1
    assert limited.get("/api/v1/notifications").json()["total_count"] == 0
    for api in (reading, limited):
        assert api.post("/api/v1/notifications/read", {}, format="json").status_code == 403
        assert api.put("/api/v1/notifications/preferences", wanted, format="json").status_code == 403
    assert not Preference.objects.exists()
    assert api_of(owner, "write").post("/api/v1/notifications/read", {}, format="json").json() == {"read": 1}


def test_preferences_are_kept_and_what_is_about_safety_is_always_told(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    assert "Safety of your account" in client.get("/account/notifications").text
    client.post("/account/notifications", {"role.changed:mail": "on"})
    tell(owner)
    assert (queries.unread_count(owner.id), len(mail.outbox)) == (0, 0)
    tell(owner, kind="role.changed")
    assert (queries.unread_count(owner.id), len(mail.outbox)) == (0, 1)
    actions.tell([owner.id], "security", params={"what": "A passkey was added."})
    assert (queries.unread_count(owner.id), len(mail.outbox)) == (1, 2)


def test_who_did_it_is_not_told_and_nobody_twice(owner: User, admin: User) -> None:
    actions.tell([owner.id, admin.id, admin.id], "quota.answered", params={}, but=owner.id)
    assert [row.person_id for row in Notification.objects.all()] == [admin.id]


def test_a_service_account_gets_no_mail(owner: User, organization: Organization) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=organization.id)
    tell(machine, owner)
    assert [message.to for message in mail.outbox] == [["owner@acme.example"]]


def test_a_sentence_is_in_the_language_of_who_reads_it(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row keeps the kind and its words; the sentence is made when it is shown."""
    german = {"en": "You are %(role)s", "de": "Du bist %(role)s"}

    class Sentence:
        def __str__(self) -> str:
            return german[translation.get_language()]

    monkeypatch.setitem(kinds._kinds, "made.up", Kind("made.up", lazystr("Made up"), Sentence()))  # type: ignore[arg-type]
    actions.tell([owner.id], "made.up", params={"role": "admin"})
    row = Notification.objects.get()
    for language, text in (("en", "You are admin"), ("de", "Du bist admin")):
        with translation.override(language):
            assert kinds.sentence(row.kind, row.params) == text


def test_a_kind_that_left_the_code_or_a_missing_word_breaks_no_page(owner: User, client_of: ClientOf) -> None:
    Notification.objects.create(person_id=owner.id, kind="of.old", params={})
    Notification.objects.create(person_id=owner.id, kind="member.added", params={})
    text = client_of(owner).get("/notifications").text
    assert "of.old" in text
    assert "You were added" in text


def test_what_somebody_calls_themselves_is_text(owner: User, client_of: ClientOf) -> None:
    tell(owner, organization="<script>alert(1)</script>")
    assert "<script>alert" not in client_of(owner).get("/notifications").text


def test_a_page_takes_as_many_queries_for_many_as_for_few(
    owner: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    client, taken = client_of(owner), []
    for number in (2, 48):
        for _each in range(number):
            tell(owner, kind="role.changed")
        with django_assert_max_num_queries(40) as captured:
            assert client.get("/notifications").status_code == 200
        taken.append(len(captured))
    assert taken[0] >= taken[1]


def test_old_ones_are_forgotten(owner: User, admin: User) -> None:
    tell(owner, admin)
    Notification.objects.filter(person_id=admin.id).update(created_at=timezone.now() - datetime.timedelta(days=181))
    tasks.forget_old()
    assert [row.person_id for row in Notification.objects.all()] == [owner.id]


def test_mail_of_somebody_without_an_address_is_not_everybody_s(owner: User) -> None:
    actions.tell([owner.id], "member.added", params={})
    Mail.objects.create(recipient="owner@acme.example", subject="x", state="kept")
    personal.erase(Person(id=owner.id, name="", addresses=()))
    assert (Notification.objects.count(), Mail.objects.count()) == (0, 1)
    personal.erase(Person(id=owner.id, name="", addresses=("Owner@acme.example",)))
    assert not Mail.objects.exists()
