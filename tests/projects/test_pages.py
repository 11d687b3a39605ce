"""The console's pages of projects and members."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from portal.accounts.models import User
from portal.projects.models import Organization, Project
from tests.fixtures import person

ClientOf = Callable[[User], Client]
MEMBERS = "/projects/acme-prod/members"


@pytest.mark.parametrize("path", ["/projects/acme-prod", MEMBERS, "/projects/new", "/audit", "/account/tokens"])
def test_the_anonymous_are_sent_to_sign_in(project: Project, path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=" + quote(path, safe=""))


@pytest.mark.parametrize("path", ["/projects/acme-prod", MEMBERS])
def test_strangers_find_nothing(viewer: User, stranger: User, client_of: ClientOf, path: str) -> None:
    assert client_of(viewer).get(path).status_code == 200
    foreign = client_of(stranger).get(path)
    assert foreign.status_code == 404
    assert "Acme" not in foreign.content.decode()


def test_a_post_switches_the_project_and_never_leads_elsewhere(
    owner: User, project: Project, organization: Organization, client_of: ClientOf
) -> None:
    Project.objects.create(organization=organization, slug="acme-test", name="Acme test")
    client = client_of(owner)
    client.get("/projects/acme-test")
    assert "project" not in client.session
    assert client.post("/projects/acme-test", {"next": "/services"})["Location"] == "/services"
    assert client.session["project"] == "acme-test"
    assert client.post("/projects/acme-test", {"next": "https://evil.example/"})["Location"] == "/"


def test_nobody_switches_to_a_foreign_project(stranger: User, project: Project, client_of: ClientOf) -> None:
    client = client_of(stranger)
    assert client.post("/projects/acme-prod").status_code == 404
    assert "project" not in client.session


def test_a_project_is_made_and_becomes_the_current_one(owner: User, developer: User, client_of: ClientOf) -> None:
    client, form = client_of(owner), {"organization": "acme", "name": "Web shop"}
    assert client.post("/projects/new", form).status_code == 302
    assert client.session["project"] == "web-shop"
    assert client_of(developer).post("/projects/new", form).status_code == 422
    assert Project.objects.filter(name="Web shop").count() == 1


def test_the_form_says_which_slug_is_taken(owner: User, other_project: Project, client_of: ClientOf) -> None:
    form = {"organization": "acme", "name": "x", "slug": "other-prod"}
    page = client_of(owner).post("/projects/new", form)
    assert page.status_code == 422
    assert "is taken" in page.content.decode()


def test_members_are_added_changed_and_removed(
    owner: User, member: User, project: Project, client_of: ClientOf
) -> None:
    client = client_of(owner)
    form = {"email": member.email.upper(), "organization_role": "owner", "project_role": "viewer"}
    assert client.post(MEMBERS, form).status_code == 302
    assert project.memberships.get(user=member).role == "viewer"
    assert project.organization.memberships.get(user=member).role == "member"  # that of a member is not touched
    one = f"{MEMBERS}/{member.public_id}"
    client.post(one, {"project_role": "developer"})
    client.post(one, {"organization_role": "billing"})
    assert project.memberships.get(user=member).role == "developer"
    assert project.organization.memberships.get(user=member).role == "billing"
    client.post(one, {"project_role": ""})
    assert not project.memberships.filter(user=member).exists()
    client.post(f"{one}/remove")
    assert not project.organization.memberships.filter(user=member).exists()


def test_somebody_new_is_invited_whether_they_have_an_account_or_not(
    owner: User, stranger: User, project: Project, client_of: ClientOf, mailoutbox: list[EmailMessage]
) -> None:
    pages = []
    for email in (stranger.email, "no-one@other.example"):
        form = {"email": email, "organization_role": "member", "project_role": "viewer"}
        answer = client_of(owner).post(MEMBERS, form)
        page = answer.content.decode().replace(email, "…")
        pages.append(re.sub(r"/invitations/[\w-]{43}|\b[A-Za-z0-9]{64}\b", "…", page))
        assert answer.status_code == 200
    assert "is invited" in pages[0]
    assert pages[0] == pages[1]
    assert [mail.to for mail in mailoutbox] == [[stranger.email], ["no-one@other.example"]]
    assert not project.organization.memberships.filter(user=stranger).exists()


def test_a_projects_admin_adds_members_of_the_organization_and_invites_nobody(
    organization: Organization, project: Project, member: User, stranger: User, client_of: ClientOf
) -> None:
    client = client_of(person("lead@acme.example", organization, "member", project, "admin"))
    assert client.post(MEMBERS, {"email": member.email, "organization_role": "member"}).status_code == 302
    answers = [
        client.post(MEMBERS, {"email": email, "organization_role": "member"})
        for email in (stranger.email, "nobody@x.example")
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("Nobody of Acme has this address" in answer.content.decode() for answer in answers)
    assert not organization.invitations.exists()


def test_a_viewer_sees_no_forms_and_can_change_nothing(
    viewer: User, developer: User, project: Project, client_of: ClientOf
) -> None:
    client = client_of(viewer)
    page = client.get(MEMBERS).content.decode()
    assert developer.email in page
    assert "<select" not in page
    one = f"{MEMBERS}/{developer.public_id}"
    assert client.post(MEMBERS, {"email": "x@example.org"}).status_code == 403
    assert client.post(one, {"project_role": "admin"}).status_code == 403
    assert client.post(f"{one}/remove").status_code == 403
    assert project.memberships.get(user=developer).role == "developer"


def test_the_last_owner_gets_a_page_that_says_why(owner: User, project: Project, client_of: ClientOf) -> None:
    page = client_of(owner).post(f"{MEMBERS}/{owner.public_id}/remove")
    assert page.status_code == 409
    assert "last owner" in page.content.decode()


def test_somebody_of_another_organization_is_no_member(
    owner: User, stranger: User, project: Project, client_of: ClientOf
) -> None:
    assert client_of(owner).post(f"{MEMBERS}/{stranger.public_id}", {"project_role": "viewer"}).status_code == 404


def test_forms_need_the_csrf_token(owner: User, project: Project) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    for path in (MEMBERS, "/projects/new", "/projects/acme-prod", "/account/tokens", "/sign-out"):
        assert client.post(path, {}).status_code == 403, path
