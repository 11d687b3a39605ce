"""Tokens and limits in a real browser: a token made, used and revoked; a limit hit, raised by an operator, ordered."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.journeys.browser import Screens, browser
from tests.journeys.instance import Api, Instance

pytestmark = [pytest.mark.engine, pytest.mark.browser]
PATIENCE = 90_000  # milliseconds: an engine may have to be fetched
# What an operator does on the admin site (test_operator_in_browser.py), by the actions behind it.
OPERATE = """
import json, sys
from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.projects import quotas
from portal.projects.models import Project, QuotaRequest
operator = actor_for(User.objects.get(email="admin@example.org"))
project = Project.objects.select_related("organization").get(slug="bounded")
"""
LIMIT = """
place = {"organization": project.organization, "project": project}
quotas.set_quota(operator, **place, resource="services", limit=0, reason="A trial.")
"""
GRANT = """
asked = QuotaRequest.objects.get(project=project, state="open")
quotas.answer_request(operator, request=asked, granted=True, answer="Welcome.")
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(params=[True, False], ids=["with-javascript", "without-javascript"])
def context(chromium: Browser, instance: Instance, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    made = chromium.new_context(
        base_url=instance.url, java_script_enabled=request.param, viewport={"width": 1440, "height": 900}
    )
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, instance: Instance) -> Page:
    made = context.new_page()
    made.goto(instance.signin())
    made.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    expect(made.get_by_role("heading", level=1)).to_be_visible()
    return made


@pytest.fixture
def is_scripted(request: pytest.FixtureRequest) -> bool:
    return "without" not in request.node.name


def plain_token(page: Page) -> str:
    """Return the token that the page shows this once."""
    shown = page.get_by_text(re.compile(r"arc_[0-9A-Za-z]{36}")).first
    expect(shown).to_be_visible()
    found = re.search(r"arc_[0-9A-Za-z]{36}", shown.inner_text())
    assert found
    return found[0]


def revoke(page: Page, name: str, *, is_scripted: bool) -> None:
    page.get_by_role("button", name=f"Revoke {name}").click()
    if is_scripted:
        page.locator("#confirm-dialog").get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name=f"Revoke {name}")).to_have_count(0)


def test_a_token_is_made_used_and_revoked(page: Page, instance: Instance, is_scripted: bool) -> None:
    screens, name = Screens(), f"Terraform {is_scripted}"
    page.goto("/account/tokens")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("May do").select_option("write")
    page.get_by_role("group", name=re.compile("Only in these projects")).get_by_label("Demo").check()
    page.get_by_label("Expires").select_option("30")
    page.get_by_role("button", name="Make token").click()
    api = Api(instance.url, plain_token(page))
    screens.take(page, f"token-made-{is_scripted}")
    me = api.ok("GET", "/api/v1/me")
    assert [project["slug"] for project in me["projects"]] == ["demo"]
    page.goto("/account/tokens")
    assert api.token not in page.content()
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("Project demo")
    expect(row).not_to_contain_text("never")
    screens.take(page, f"token-list-{is_scripted}")
    revoke(page, name, is_scripted=is_scripted)
    assert api.call("GET", "/api/v1/me")[0] == 401


def test_a_service_account_gets_a_token_and_goes(page: Page, instance: Instance, is_scripted: bool) -> None:
    screens, name = Screens(), f"Pipeline {is_scripted}"
    page.goto("/organizations/demo/service-accounts")
    screens.take(page, f"machine-list-{is_scripted}")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Role in Demo").select_option("developer")
    page.get_by_role("button", name="Make service account").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    page.locator("aside").get_by_label("Name", exact=True).fill("deploy")
    page.get_by_role("button", name="Make token").click()
    api = Api(instance.url, plain_token(page))
    screens.take(page, f"machine-detail-{is_scripted}")
    me = api.ok("GET", "/api/v1/me")
    assert (me["kind"], me["name"]) == ("service_account", name)
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("button", name="Activate", exact=True)).to_be_visible()
    assert api.call("GET", "/api/v1/me")[0] == 401
    page.get_by_role("button", name="Activate", exact=True).click()
    expect(page.get_by_role("button", name="Deactivate")).to_be_visible()
    assert api.call("GET", "/api/v1/me")[0] == 200
    page.locator("[name=confirm]").fill(name)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="Service accounts", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)
    assert api.call("GET", "/api/v1/me")[0] == 401


@pytest.fixture
def bounded(api: Api, instance: Instance) -> str:
    """A project that may have nothing."""
    known = {project["slug"] for project in api.ok("GET", "/api/v1/projects")["items"]}
    if "bounded" not in known:
        api.ok("POST", "/api/v1/projects", {"name": "Bounded", "slug": "bounded", "organization": "demo"})
    instance.manage("shell", "-c", OPERATE + LIMIT)
    return "bounded"


def order(page: Page, name: str, project: str) -> None:
    """Fill the order page for a project and send it."""
    page.goto(f"/projects/{project}")
    if page.get_by_role("button", name="Work in this project").is_visible():
        page.get_by_role("button", name="Work in this project").click()
    page.goto("/catalog/postgresql")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Order now").click()


def test_a_limit_is_hit_raised_by_an_operator_and_ordered_within(
    page: Page, instance: Instance, api: Api, bounded: str, is_scripted: bool
) -> None:
    screens, name = Screens(), f"within-{str(is_scripted).lower()}"
    order(page, name, bounded)
    expect(page.get_by_text("limit is reached").first).to_be_visible()
    screens.take(page, f"quota-order-{is_scripted}")
    page.get_by_role("link", name="Ask for more").first.click()
    page.get_by_label("New limit").fill("5")
    reason = f"We start next week, {name}."
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Ask for more").click()
    expect(page.get_by_text(reason)).to_be_visible()
    screens.take(page, f"quota-asked-{is_scripted}")
    instance.manage("shell", "-c", OPERATE + GRANT)
    page.reload()
    expect(page.get_by_role("cell", name=f"{reason} Provider: Welcome.")).to_be_visible()
    screens.take(page, f"quota-granted-{is_scripted}")
    order(page, name, bounded)
    expect(page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
    found = api.ok("GET", f"/api/v1/projects/{bounded}/services")["items"]
    assert name in json.dumps(found)
    used = {line["resource"]: line for line in api.ok("GET", f"/api/v1/projects/{bounded}/quotas")["items"]}
    assert (used["services"]["used"], used["services"]["limit"]) == (len(found), 5)
    for service in found:
        api.finished(api.ok("DELETE", f"/api/v1/services/{service['id']}?deletion_policy=wipe"))
