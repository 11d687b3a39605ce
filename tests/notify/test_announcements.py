"""Announcements: operators make them, everybody reads the list, and pages show those that concern their reader."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters.models import Cluster, Region
from portal.core.errors import Problem
from portal.notify import actions, queries
from portal.notify.models import Announcement
from portal.projects.models import Project
from portal.resources.models import Resource

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def announce(operator: User, django_capture_on_commit_callbacks: Any) -> Callable[..., Announcement]:
    def made(title: str = "Storage is slow", **others: Any) -> Announcement:
        asked = {"kind": "incident", "severity": "warning", "reason": "Seen by our probes", **others}
        with django_capture_on_commit_callbacks(execute=True):
            return actions.announce(actor_for(operator), title=title, **asked)

    return made


@pytest.fixture
def services(project: Project, other_project: Project) -> None:
    """Acme has a service in region local, the other organization one in region north."""
    for slug, owner in (("local", project), ("north", other_project)):
        region = Region.objects.create(slug=slug, name=slug)
        cluster = Cluster.objects.create(region=region, name=slug, kind="local")
        Resource.objects.create(
            project=owner, region=region, cluster=cluster, offering_slug="toy", version="2", release="2.0",
            name="box", plan_slug="dev-2",
        )  # fmt: skip


def test_an_operator_announces_with_a_reason_and_others_do_not(
    announce: Callable[..., Announcement], operator: User, owner: User, support: User
) -> None:
    made = announce(regions=["local"])
    row = AuditEvent.objects.get(action="announcement.publish", outcome="done")
    assert (row.actor_id, row.target_id, row.reason) == (operator.id, made.id, "Seen by our probes")
    for who in (owner, support):
        with pytest.raises(Problem) as caught:
            actions.announce(actor_for(who), kind="banner", title="x", reason="y")
        assert caught.value.code == "permission_denied"
    wrong = {"kind": "party", "severity": "huge", "title": " ", "reason": "", "ends_at": timezone.now() - HOUR}
    with pytest.raises(Problem) as caught:
        actions.announce(actor_for(operator), **wrong)
    pointers = {error.pointer for error in caught.value.errors}
    assert pointers == {"/kind", "/severity", "/title", "/reason", "/ends_at"}
    assert Announcement.objects.count() == 1


def test_a_page_shows_what_concerns_its_reader(
    services: None, announce: Callable[..., Announcement], owner: User, stranger: User, client_of: ClientOf
) -> None:
    announce("For all of you")
    announce("Only of the local region", regions=["local"])
    acme, other = (client_of(who).get("/notifications").text for who in (owner, stranger))
    nobody = Client().get("/catalog").text
    assert [("For all" in text, "Only of" in text) for text in (acme, other, nobody)] == [
        (True, True), (True, False), (True, False),
    ]  # fmt: skip


def test_it_shows_from_its_begin_to_its_end_and_the_worst_first(
    announce: Callable[..., Announcement], owner: User, client_of: ClientOf
) -> None:
    now = timezone.now()
    announce("To come", starts_at=now + HOUR)
    announce("Over", starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    announce("Mild", severity="info")
    announce("Bad", severity="critical", ends_at=now + HOUR)
    assert [found.title for found in queries.current_announcements()] == ["Bad", "Mild"]
    page = client_of(owner).get("/notifications").text
    assert ("To come" in page, "Over" in page) == (False, False)
    listed = Client().get("/announcements").text
    assert listed.index("Bad") < listed.index("To come") < listed.index("Over")


def test_an_incident_is_updated_and_ended(
    announce: Callable[..., Announcement], operator: User, owner: User, django_capture_on_commit_callbacks: Any
) -> None:
    made, actor = announce(), actor_for(operator)
    with django_capture_on_commit_callbacks(execute=True):
        actions.update_announcement(actor, made, text="We know why", severity="critical", reason="More is known")
    assert queries.current_announcements()[0].severity == "critical"
    with pytest.raises(Problem):
        actions.update_announcement(actor_for(owner), made, text="x", reason="y")
    with django_capture_on_commit_callbacks(execute=True):
        actions.end_announcement(actor, made, text="All is well", reason="Mended")
    assert queries.current_announcements() == []
    for act in (actions.update_announcement, actions.end_announcement):
        with pytest.raises(Problem) as caught:
            act(actor, made, text="more", reason="y")
        assert caught.value.code == "announcement_over"
    page = Client().get("/announcements").text
    assert page.index("All is well") < page.index("We know why")
    assert [row.action for row in AuditEvent.objects.filter(target_id=made.id, outcome="done").order_by("id")] == [
        "announcement.publish", "announcement.update", "announcement.end",
    ]  # fmt: skip


def test_the_api_lists_them_for_everybody(announce: Callable[..., Announcement]) -> None:
    now = timezone.now()
    announce("For all")
    announce("Local", regions=["local"], starts_at=now - HOUR)
    announce("North", regions=["north"], starts_at=now - 2 * HOUR)
    announce("To come", starts_at=now + HOUR)
    api = APIClient()
    titles = lambda query: [item["title"] for item in api.get(f"/api/v1/announcements{query}").json()["items"]]  # noqa: E731
    assert titles("") == ["To come", "For all", "Local", "North"]
    assert titles("?current=true&region=local") == ["For all", "Local"]
    item = api.get("/api/v1/announcements?current=true&region=north").json()["items"][-1]
    assert (item["regions"], item["current"], item["updates"]) == (["north"], True, [])
    assert "created_by" not in item
    assert api.get("/api/v1/announcements?current=perhaps").status_code == 422


def test_a_page_asks_for_them_by_the_cache_alone(
    services: None, announce: Callable[..., Announcement], owner: User, django_assert_num_queries: Any
) -> None:
    from portal.console import told

    actor = actor_for(owner)
    with django_assert_num_queries(1):
        told.to(actor)
    with django_assert_num_queries(0):
        told.to(actor)
    announce("Local", regions=["local"])
    with django_assert_num_queries(2):  # the list anew, and where this person has something
        assert [found.title for found in told.to(actor)] == ["Local"]
    with django_assert_num_queries(0):
        told.to(actor)
    cache.clear()


def test_what_operators_write_is_text(announce: Callable[..., Announcement], owner: User, client_of: ClientOf) -> None:
    announce("<b>bold</b>", text="<script>alert(1)</script>\n\nsecond")
    for page in (client_of(owner).get("/notifications").text, Client().get("/announcements").text):
        assert "<b>bold" not in page
        assert "<script>alert" not in page
