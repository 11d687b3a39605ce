"""What operators do in the admin site: each act with a form or a reason, and its tenant reads who did it and why."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.core.mail import get_connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters.models import Cluster, Region, SovereigntyFact
from portal.notify.models import Announcement, Mail
from portal.notify.queries import current_announcements, forget_current
from portal.projects import quotas
from portal.projects.models import Organization, Project, QuotaRequest
from portal.resources.models import Operation, Resource
from portal.resources.stuck import stuck, waits_for

ClientOf = Callable[[User], Client]
USERS, ORGANIZATIONS = "/admin/accounts/user/", "/admin/projects/organization/"
REQUESTS, OPERATIONS = "/admin/projects/quotarequest/", "/admin/resources/operation/"


@pytest.fixture
def console(operator: User, client_of: ClientOf) -> Client:
    """An operator's browser."""
    return client_of(operator)


def act(client: Client, page: str, action: str, row: Any, **fields: Any) -> Any:
    """Send an act's form with its fields, as its page does."""
    sent = {"action": action, "_selected_action": str(row.pk), "_sent": "1", **fields}
    return client.post(page, sent, follow=True)


def says(client: Client, **query: str) -> list[tuple[str, str, str]]:
    """Return what the audit log tells a reader: action, by whom, why."""
    items = client.get("/api/v1/audit", query).json()["items"]
    return [(item["action"], item["actor"]["name"], item["reason"]) for item in items]


@pytest.fixture
def asked(organization: Organization, project: Project, owner: User) -> QuotaRequest:
    return QuotaRequest.objects.create(
        organization=organization, project=project, resource="services", limit=400, reason="Fair", requested_by=owner
    )


def test_the_first_page_counts_what_needs_a_look(
    console: Client, asked: QuotaRequest, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    console.get("/admin/")
    with django_assert_max_num_queries(40):
        page = console.get("/admin/")
    counts = {str(seen.look.title): seen.count for seen in page.context["looks"]}
    assert counts["Open quota requests"] == 1
    assert counts["Operations that are stuck"] == 0
    for seen in page.context["looks"]:
        assert console.get(seen.look.address).status_code == 200, seen.look.address


def test_support_counts_what_it_may_open(support: User, client_of: ClientOf) -> None:
    page = client_of(support).get("/admin/")
    titles = {str(seen.look.title) for seen in page.context["looks"]}
    assert "Operations that are stuck" in titles
    assert "Mail that could not be sent" not in titles


def test_a_request_is_granted_with_an_answer_that_the_customer_reads(
    console: Client, asked: QuotaRequest, project: Project, owner: User, client_of: ClientOf
) -> None:
    form = console.post(REQUESTS, {"action": "grant", "_selected_action": str(asked.pk)})
    assert "Asked for: 400" in form.content.decode()
    assert act(console, REQUESTS, "grant", asked, limit="300", reason=" ").status_code == 422
    assert act(console, REQUESTS, "grant", asked, limit="-1", reason="ok").status_code == 422
    assert "Done:" in act(console, REQUESTS, "grant", asked, limit="300", reason="Up to 300").content.decode()
    asked.refresh_from_db()
    assert (asked.state, asked.answer) == ("granted", "Up to 300")
    assert quotas.effective(project.organization, project)["services"] == 300
    assert ("quota.answer", "Provider", "Up to 300") in says(client_of(owner))
    again = act(console, REQUESTS, "refuse", asked, reason="No")
    assert (again.status_code, "answered or withdrawn already" in again.content.decode()) == (422, True)


def test_a_request_is_refused_with_a_reason(console: Client, asked: QuotaRequest) -> None:
    act(console, REQUESTS, "refuse", asked, reason="The region is full")
    asked.refresh_from_db()
    assert (asked.state, asked.answer) == ("refused", "The region is full")


def test_a_quota_is_set_for_an_organization_and_its_own_projects(
    console: Client,
    organization: Organization,
    project: Project,
    other_project: Project,
    owner: User,
    client_of: ClientOf,
) -> None:
    fields = {"resource": "services", "reason": "Contract"}
    foreign = act(console, ORGANIZATIONS, "set_quota", organization, limit="5", project=str(other_project.pk), **fields)
    assert foreign.status_code == 422
    done = act(
        console, ORGANIZATIONS, "set_quota", organization, limit="5", project=str(project.pk), _back="1", **fields
    )
    assert done.redirect_chain[-1][0] == f"{ORGANIZATIONS}{organization.pk}/change/"
    assert quotas.effective(organization, project)["services"] == 5
    act(console, ORGANIZATIONS, "set_quota", organization, limit="", project=str(project.pk), **fields)
    assert quotas.effective(organization, project)["services"] == 200
    assert says(client_of(owner)).count(("quota.set", "Provider", "Contract")) == 2


def test_a_closed_organization_is_opened_again(
    console: Client, organization: Organization, owner: User, client_of: ClientOf
) -> None:
    Organization.objects.filter(pk=organization.pk).update(closed_at=timezone.now())
    act(console, ORGANIZATIONS, "reopen", organization, reason="Closed by mistake")
    organization.refresh_from_db()
    assert organization.closed_at is None
    assert ("organization.reopen", "Provider", "Closed by mistake") in says(client_of(owner))
    assert "is not closed" in act(console, ORGANIZATIONS, "reopen", organization, reason="x").content.decode()


def test_an_organization_s_page_shows_people_projects_and_limits(
    console: Client, organization: Organization, project: Project, owner: User, asked: QuotaRequest
) -> None:
    page = console.get(f"{ORGANIZATIONS}{organization.pk}/change/").content.decode()
    for text in (owner.email, project.slug, "Set a quota", "services"):
        assert text in page, text
    assert 'name="slug"' not in page


def test_a_lost_factor_is_taken_off_and_the_person_reads_it(
    console: Client, owner: User, viewer: User, operator: User, client_of: ClientOf
) -> None:
    lost = client_of(viewer)
    lost.get("/account/sessions")
    Authenticator.objects.create(user=viewer, type=Authenticator.Type.TOTP, data={"secret": ""})
    assert UserSession.objects.filter(user=viewer).exists()
    act(console, USERS, "reset_factor", viewer, reason="Lost the phone, proved by call")
    assert not Authenticator.objects.filter(user=viewer).exists()
    assert lost.get("/account/sessions")["Location"].startswith("/sign-in")
    told = ("user.factor_reset", "Provider", "Lost the phone, proved by call")
    assert told in says(client_of(viewer))
    assert told in says(client_of(owner))  # it touches their organization
    [sent] = mail.outbox
    assert sent.to == [viewer.email]
    assert "took your second factor off" in sent.body
    assert "Lost the phone, proved by call" in sent.body
    assert "took your second factor off" in client_of(viewer).get("/notifications").content.decode()
    own = act(console, USERS, "reset_factor", operator, reason="mine")
    assert "does not allow" in own.content.decode()
    assert len(mail.outbox) == 1
    assert AuditEvent.objects.filter(action="user.factor_reset", outcome="denied").count() == 1


def test_somebody_is_signed_out_everywhere(console: Client, viewer: User, client_of: ClientOf) -> None:
    inside = client_of(viewer)
    inside.get("/account/sessions")
    act(console, USERS, "end_sessions", viewer, reason="Stolen laptop")
    assert inside.get("/account/sessions")["Location"].startswith("/sign-in")
    assert ("user.session_end", "Provider", "Stolen laptop") in says(client_of(viewer))


def test_a_person_is_erased_by_request_and_the_last_owner_is_not(console: Client, owner: User, viewer: User) -> None:
    act(console, USERS, "erase", viewer, reason="Asked by letter")
    viewer.refresh_from_db()
    assert viewer.erased_at is not None
    assert "last owner of Acme" in act(console, USERS, "erase", owner, reason="x").content.decode()
    owner.refresh_from_db()
    assert owner.erased_at is None


def test_the_list_tells_who_has_a_second_factor(console: Client, operator: User, viewer: User) -> None:
    without = console.get(USERS, {"factor": "no"}).content.decode()
    assert viewer.email in without
    assert f"/admin/accounts/user/{operator.pk}/" not in without


def test_support_starts_none_of_it(
    support: User, viewer: User, organization: Organization, asked: QuotaRequest, client_of: ClientOf
) -> None:
    client = client_of(support)
    act(client, USERS, "end_sessions", viewer, reason="x")
    act(client, ORGANIZATIONS, "set_quota", organization, resource="services", limit="1", reason="x")
    act(client, REQUESTS, "grant", asked, limit="400", reason="x")
    asked.refresh_from_db()
    assert asked.state == "open"
    assert not AuditEvent.objects.exclude(outcome="denied").exists()


def test_a_fact_is_stated_by_form_and_withdrawn(console: Client, db: None) -> None:
    region, today = Region.objects.create(slug="eu", name="Europe"), timezone.now().date().isoformat()
    page = "/admin/clusters/region/"
    fields = {"kind": "country", "value": "Finland", "stated_on": today, "reason": "Opening"}
    refused = act(console, page, "add_fact", region, document="http://registry.example/", **fields)
    assert (refused.status_code, "https address" in refused.content.decode()) == (422, True)
    act(console, page, "add_fact", region, document="https://registry.example/", **fields)
    fact = SovereigntyFact.objects.get()
    assert "Finland" in Client().get("/regions").content.decode()
    assert console.post(f"/admin/clusters/sovereigntyfact/{fact.pk}/change/", {"value": "x"}).status_code == 403
    act(console, "/admin/clusters/sovereigntyfact/", "withdraw", fact, reason="Moved")
    assert "Finland" not in Client().get("/regions").content.decode()


@pytest.fixture
def operation(project: Project) -> Operation:
    """A backup that runs ten times as long as expected."""
    region = Region.objects.create(slug="local", name="Here")
    cluster = Cluster.objects.create(region=region, name="local", kind="local")
    resource = Resource.objects.create(
        project=project, region=region, cluster=cluster, name="shop", offering_slug="postgresql", version="17",
        release="17.10", plan_slug="free", ready_once_at=timezone.now(),
        conditions=[{"type": "Synced", "status": "False", "reason": "NoDisk", "message": "The disk is full.",
                     "observed_generation": 1, "last_transition_at": ""}],
    )  # fmt: skip
    now = timezone.now()
    return Operation.objects.create(
        resource=resource, type="resize", state="running", generation=1, expected_seconds=60,
        created_at=now - datetime.timedelta(minutes=10), deadline_at=now + datetime.timedelta(hours=1),
    )  # fmt: skip


def test_what_is_stuck_is_told_with_what_it_waits_for(console: Client, operation: Operation) -> None:
    assert waits_for(operation) == "NoDisk: The disk is full."
    page = console.get(OPERATIONS, {"stuck": "yes"}).content.decode()
    for text in (
        "NoDisk: The disk is full.",
        "10 min",
        "acme / acme-prod",
        f"/services/{operation.resource.public_id}",
    ):
        assert text in page, text
    Operation.objects.update(expected_seconds=600)
    assert not stuck().exists()
    Operation.objects.update(deadline_at=timezone.now() - datetime.timedelta(seconds=1))
    assert stuck().exists()
    Operation.objects.update(state="succeeded")
    assert not stuck().exists()


def test_a_stuck_one_is_tried_again_or_cancelled_and_the_tenant_reads_why(
    console: Client, operation: Operation, owner: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resource.objects.update(failures=7, next_reconcile_at=None)
    act(console, OPERATIONS, "retry_operation", operation, reason="Disk was grown")
    operation.resource.refresh_from_db()
    assert (operation.resource.failures, operation.resource.next_reconcile_at is None) == (0, False)
    assert ("service.retry", "Provider", "Disk was grown") in says(client_of(owner))
    refused = act(console, OPERATIONS, "cancel", operation, reason="Stop it").content.decode()
    assert "can&#x27;t be cancelled half-way" in refused or "can't be cancelled half-way" in refused
    Operation.objects.update(type="create")
    Resource.objects.update(ready_once_at=None)
    monkeypatch.setattr("portal.resources.tasks.enqueue", lambda resource_id: None)
    act(console, OPERATIONS, "cancel", operation, reason="Stop it")
    operation.refresh_from_db()
    assert operation.state == "cancelled"
    assert ("service.cancel", "Provider", "Stop it") in says(client_of(owner))


def test_an_announcement_is_published_updated_and_ended(console: Client, support: User, client_of: ClientOf) -> None:
    Region.objects.create(slug="eu", name="Europe")
    page, add = "/admin/notify/announcement/", "/admin/notify/announcement/add/"
    fields = {"kind": "incident", "severity": "warning", "title": "Slow disks", "text": "We look.", "regions": ["eu"]}
    assert console.get(add).status_code == 200
    assert console.post(add, fields).status_code == 422  # no reason
    assert console.post(add, {**fields, "regions": ["nowhere"], "reason": "x"}).status_code == 422
    assert client_of(support).post(add, {**fields, "reason": "x"}).status_code == 403
    console.post(add, {**fields, "reason": "Alert 17"})
    made = Announcement.objects.get()
    forget_current()  # done on commit, which no test reaches
    assert (made.title, made.regions, [found.title for found in current_announcements({"eu"})]) == (
        "Slow disks", ["eu"], ["Slow disks"],
    )  # fmt: skip
    act(console, page, "update", made, text="A disk was swapped.", severity="info", reason="Alert 17")
    act(console, page, "end", made, text="All is well.", reason="Alert 17 is over")
    assert [update.text for update in made.updates.all()] == ["All is well.", "A disk was swapped."]
    forget_current()
    assert current_announcements({"eu"}) == []
    assert AuditEvent.objects.filter(action__startswith="announcement.", reason__startswith="Alert 17").count() == 3


@pytest.mark.django_db
def test_what_a_page_has_read_before_an_announcement_is_not_kept_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = cache.set

    def publish_first(key: str, *rest: Any) -> None:
        monkeypatch.undo()
        Announcement.objects.create(kind="incident", severity="warning", title="Slow disks", starts_at=timezone.now())
        forget_current()
        keep(key, *rest)

    monkeypatch.setattr(cache, "set", publish_first)
    assert current_announcements() == []
    assert [found.title for found in current_announcements()] == ["Slow disks"]
    keep("notify.current", (None, []), 20)
    assert [found.title for found in current_announcements()] == ["Slow disks"]


def test_a_mail_is_read_one_by_one_with_a_reason_and_recorded(
    console: Client, support: User, client_of: ClientOf
) -> None:
    get_connection("portal.notify.outbox.Backend").send_messages(
        [mail.EmailMessage("Join us", "Secret link inside", "us@acme.example", ["jo@acme.example"])]
    )
    row, page = Mail.objects.get(), "/admin/notify/mail/"
    for shown in (page, f"{page}{row.pk}/change/"):
        assert "Secret link inside" not in console.get(shown).content.decode()
    assert "Secret link inside" not in act(console, page, "read", row, reason=" ").content.decode()
    read = act(console, page, "read", row, reason="They did not get it")
    assert "Secret link inside" in read.content.decode()
    assert "no-store" in read["Cache-Control"]
    event = AuditEvent.objects.get(action="mail.read")
    assert (event.target_id, event.reason) == (row.id, "They did not get it")
    assert client_of(support).get(page).status_code == 403
    act(client_of(support), page, "read", row, reason="x")
    assert AuditEvent.objects.filter(action="mail.read").count() == 1


def test_a_mail_that_failed_is_tried_again_with_a_reason(
    console: Client, support: User, client_of: ClientOf, settings: Settings
) -> None:
    row = Mail.objects.create(recipient="jo@acme.example", subject="Join us", state="failed", attempts=8, sealed="x")
    page, again = "/admin/notify/mail/", "Try again"
    assert again in console.get(f"{page}{row.pk}/change/").content.decode()
    assert "EMAIL_HOST is not set" in act(console, page, "try_again", row, reason="why not").content.decode()
    settings.EMAIL_HOST = "mail.example"
    assert act(console, page, "try_again", row, reason=" ").status_code == 422
    act(client_of(support), page, "try_again", row, reason="x")
    assert Mail.objects.get().state == "failed"
    assert "Done" in act(console, page, "try_again", row, reason="The server is back").content.decode()
    assert (Mail.objects.get().state, Mail.objects.get().attempts) == ("queued", 0)
    event = AuditEvent.objects.get(action="mail.retry")
    assert (event.target_id, event.reason, event.outcome) == (row.id, "The server is back", "done")
    assert "on its way" in act(console, page, "try_again", row, reason="twice").content.decode()
