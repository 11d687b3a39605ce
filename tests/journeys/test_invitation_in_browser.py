"""From an invitation to the first order of the invited, and that service's way into another project, in a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.journeys.browser import browser
from tests.journeys.instance import Instance
from tests.journeys.test_in_browser import Console

pytestmark = [pytest.mark.engine, pytest.mark.browser]
ADA, EVE = "ada@guests.example", "eve@guests.example"
ORG = "/organizations/demo"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def people(instance: Instance) -> None:
    """Two people who have accounts and nothing to do with the organization that invites."""
    for email in (ADA, EVE):
        instance.manage("adduser", email, "--organization", "guests")


def opened(chromium: Browser, instance: Instance) -> BrowserContext:
    """Return a browser of somebody's own."""
    context = chromium.new_context(
        base_url=instance.url,
        viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(20_000)
    return context


def signed_in(context: BrowserContext, instance: Instance, email: str) -> Console:
    """Return the console of somebody who came by a one-time link."""
    console = Console(context.new_page(), instance, scripted=True)
    console.page.goto(instance.signin(email))
    console.page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    expect(console.page.get_by_role("heading", level=1)).to_be_visible()
    return console


def invite(console: Console) -> str:
    """Invite Ada as a developer of the demo project, and return the link as the copy button gives it."""
    page = console.page
    page.goto(ORG)
    console.screens.take(page, "organization")
    page.get_by_role("link", name="Invite").click()
    page.get_by_label("Email").fill(ADA)
    page.get_by_text("Roles in projects").click()
    page.get_by_role("combobox", name="Demo", exact=True).select_option("developer")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text(f"{ADA} is invited")).to_be_visible()
    console.screens.take(page, "organization-invitations")
    return console.copied("Copy link", "/invitations/")


def test_from_an_invitation_to_the_first_order_and_into_another_project(
    chromium: Browser, instance: Instance, people: None
) -> None:
    owner = signed_in(opened(chromium, instance), instance, "admin@example.org")
    owner.page.goto("/projects/new")
    owner.page.get_by_label("Name").fill("Laboratory")
    owner.page.get_by_role("button", name="Make project").click()
    link = invite(owner)

    eve = signed_in(opened(chromium, instance), instance, EVE)
    answer = eve.page.goto(link)
    assert answer is not None
    assert answer.status == 403
    assert re.search(r"\bada\b", eve.page.content()) is None  # tokens and names of files have any letters
    eve.screens.take(eve.page, "invitation-wrong")

    context = opened(chromium, instance)
    stranger = Console(context.new_page(), instance, scripted=True)
    stranger.page.goto(link)
    stranger.screens.take(stranger.page, "invitation-stranger")
    stranger.page.get_by_role("link", name="Sign in").last.click()
    assert "next=%2Finvitations%2F" in stranger.page.url

    ada = signed_in(context, instance, ADA)
    ada.page.goto(link)
    expect(ada.page.get_by_text("admin@example.org invites you to Demo.")).to_be_visible()
    ada.screens.take(ada.page, "invitation")
    ada.page.get_by_role("button", name="Accept").click()
    expect(ada.page.get_by_role("heading", name="Demo", level=1)).to_be_visible()
    ada.page.goto(link)
    expect(ada.page.get_by_text("does not work any more")).to_be_visible()
    ada.order("adas-first")

    service_url = ada.page.url.split("#")[0]
    _move(owner, service_url)
    ada.page.goto(service_url)
    expect(ada.page.get_by_role("heading", level=1)).not_to_have_text("adas-first")  # she has no role there
    _look_around(owner)
    assert owner.problems == []
    _remove(owner, context, service_url)


def _move(owner: Console, service_url: str) -> None:
    page = owner.page
    page.goto(f"{service_url}/settings")
    page.get_by_role("link", name="Move", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Project").select_option("laboratory")
    owner.screens.take(page, "service-move")
    dialog.get_by_role("button", name="Move").click()
    expect(page.get_by_text("adas-first is in Laboratory now.")).to_be_visible()
    page.goto("/services?project=laboratory")
    page.goto(ORG)
    row = page.get_by_role("row", name=re.compile("^Laboratory"))
    expect(row.get_by_role("cell").first).to_have_text("1")
    owner.screens.take(page, "organization-moved")
    page.goto(f"{service_url}/activity")
    expect(page.get_by_text("Moved from project demo to laboratory").first).to_be_visible()


def _look_around(owner: Console) -> None:
    """Open what is left of the organization's pages."""
    page = owner.page
    pages = {"members": f"{ORG}/members", "settings": f"{ORG}/settings", "transfer": f"{ORG}/transfer"}
    for name, path in {**pages, "close": f"{ORG}/close", "list": "/organizations"}.items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        owner.screens.take(page, f"organization-{name}")
    page.goto(f"{ORG}/members")
    page.get_by_role("link", name=f"Change roles of {ADA}").click()
    owner.screens.take(page, "organization-member")


def _remove(owner: Console, context: BrowserContext, service_url: str) -> None:
    """Take Ada out: at her next request nothing of it is there any more."""
    page, hers = owner.page, context.pages[-1]
    assert hers.goto(ORG).status == 200  # type: ignore[union-attr]
    page.goto(f"{ORG}/members")
    page.get_by_role("button", name=f"Remove {ADA}").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^(Yes|OK|Continue|Confirm|Remove)")).click()
    expect(page.get_by_text(f"{ADA} was removed.")).to_be_visible()
    assert hers.goto(ORG).status == 404  # type: ignore[union-attr]
    assert hers.goto(service_url).status == 404  # type: ignore[union-attr]
